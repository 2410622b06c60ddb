import { dataLoss, internal } from '../errors.ts';

export interface StreamChunk {
  readonly source: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/**
 * Takes Docker's multiplexed stream apart: frames of [type, 0, 0, 0, length as big-endian u32] and payload, cut anywhere.
 * Payload is handed on as it comes, so a frame's claimed length never costs memory. Frames of type 3 are the server's failure and throw.
 */
export async function* demultiplex(stream: AsyncIterable<Buffer>): AsyncGenerator<StreamChunk> {
  const frames = new FrameReader();
  for await (const bytes of stream) yield* frames.push(bytes);
  frames.end();
}

/** A terminal's stream has no frames: all of it is stdout. */
export async function* rawOutput(stream: AsyncIterable<Buffer>): AsyncGenerator<StreamChunk> {
  for await (const data of stream) yield { source: 'stdout', data };
}

const headerBytes = 8;
const systemError = 3;
const maxErrorBytes = 4096;

class FrameReader {
  readonly #header = Buffer.alloc(headerBytes);
  #headerLength = 0;
  #type = 0;
  #left = 0;
  #error = '';

  /** Neighbouring frames of one source come out as one chunk: one write for many short lines. */
  push(bytes: Buffer): StreamChunk[] {
    const chunks: { source: StreamChunk['source']; parts: Buffer[] }[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (this.#left === 0) {
        at += this.#readHeader(bytes, at);
        continue;
      }
      const payload = bytes.subarray(at, at + this.#left);
      at += payload.length;
      this.#left -= payload.length;
      if (this.#type === systemError) {
        this.#readError(payload);
        continue;
      }
      const source = this.#type === 2 ? 'stderr' : 'stdout';
      const last = chunks.at(-1);
      if (last?.source === source) last.parts.push(payload);
      else chunks.push({ source, parts: [payload] });
    }
    return chunks.map(({ source, parts }) => ({ source, data: parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts) }));
  }

  end(): void {
    if (this.#left > 0 || this.#headerLength > 0) throw dataLoss('the output stream ended in the middle of a frame');
  }

  #readHeader(bytes: Buffer, at: number): number {
    const taken = bytes.copy(this.#header, this.#headerLength, at, at + headerBytes - this.#headerLength);
    this.#headerLength += taken;
    if (this.#headerLength < headerBytes) return taken;
    this.#headerLength = 0;
    this.#type = this.#header.readUInt8(0);
    this.#left = this.#header.readUInt32BE(4);
    if (this.#type > systemError) throw dataLoss(`the output stream has a frame of unknown type ${this.#type}`);
    return taken;
  }

  #readError(payload: Buffer): void {
    this.#error += payload.toString('utf8').slice(0, maxErrorBytes - this.#error.length);
    if (this.#left === 0) throw internal(this.#error.trim() || 'the server reported a failure without a message');
  }
}
