import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { cancelled, GantryError, invalidArgument } from '@gantry/sdk';
import { bodyTooLarge } from '../status.ts';

const maxBodyBytes = 64 * 1024;

/**
 * Node hands an upgraded connection over with its body unread. Takes the body off and gives every byte behind it back to the socket,
 * where it is the first of the stream.
 */
export async function takeBody(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Buffer> {
  const bytes = new SocketBytes(socket, head);
  const body = request.headers['transfer-encoding'] === undefined ? await fixed(request, bytes) : await chunked(bytes);
  bytes.giveBack();
  return body;
}

function fixed(request: IncomingMessage, bytes: SocketBytes): Promise<Buffer> {
  return bytes.take(Number(request.headers['content-length'] ?? 0));
}

/** RFC 9112 section 7.1. */
async function chunked(bytes: SocketBytes): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (;;) {
    const line = await bytes.line();
    const size = Number.parseInt(line, 16);
    if (!/^[0-9a-fA-F]+\s*(;.*)?$/.test(line)) throw invalidArgument('invalid JSON: invalid byte in chunk length');
    if (size === 0) {
      while ((await bytes.line()) !== '') continue;
      return Buffer.concat(chunks);
    }
    chunks.push(await bytes.take(size));
    await bytes.line();
  }
}

class SocketBytes {
  readonly #socket: Duplex;
  #buffer: Buffer;
  #taken = 0;

  constructor(socket: Duplex, head: Buffer) {
    this.#socket = socket;
    this.#buffer = head;
  }

  async take(length: number): Promise<Buffer> {
    this.#taken += length;
    if (this.#taken > maxBodyBytes) {
      throw new GantryError('invalid_argument', `the request body is larger than ${maxBodyBytes} bytes`, { reason: bodyTooLarge });
    }
    while (this.#buffer.length < length) await this.#more();
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async line(): Promise<string> {
    let end = this.#buffer.indexOf('\r\n');
    while (end < 0) {
      if (this.#buffer.length > 1_024) throw invalidArgument('malformed chunk');
      await this.#more();
      end = this.#buffer.indexOf('\r\n');
    }
    const line = this.#buffer.toString('latin1', 0, end);
    this.#buffer = this.#buffer.subarray(end + 2);
    return line;
  }

  giveBack(): void {
    if (this.#buffer.length > 0) this.#socket.unshift(this.#buffer);
  }

  #more(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const done = (error?: Error) => {
        socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
        if (error === undefined) resolve();
        else reject(error);
      };
      const onEnd = () => done(cancelled('the client went away before its request was whole'));
      const onReadable = () => {
        const chunk: unknown = socket.read();
        if (!Buffer.isBuffer(chunk)) return;
        this.#buffer = Buffer.concat([this.#buffer, chunk]);
        done();
      };
      socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
    });
  }
}
