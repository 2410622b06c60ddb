import type { LogLine } from '@gantry/sdk/engine';
import { fixedNanoTime } from '../http/time.ts';
import { frameHeaderBytes, putFrameHeader } from './stdcopy.ts';

export interface LogEncoderOptions {
  /** Each line in a frame that tells its stream; without it the bytes as they are. */
  readonly framed: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Turns log lines into what `docker logs` reads. Prefixes stand where a line begins, not before the later parts of a long one. */
export class LogEncoder {
  readonly #framed: boolean;
  readonly #timestamps: boolean;
  readonly #details: string;
  readonly #inLine = { stdout: false, stderr: false };

  constructor({ framed, timestamps, details, attributes }: LogEncoderOptions) {
    this.#framed = framed;
    this.#timestamps = timestamps;
    this.#details = details ? `${detailsOf(attributes)} ` : '';
  }

  encode(lines: readonly LogLine[]): Buffer {
    const prefixes = this.#timestamps || this.#details !== '' ? lines.map((line) => this.#prefix(line)) : undefined;
    const headerBytes = this.#framed ? frameHeaderBytes : 0;
    let size = lines.length * headerBytes;
    for (const line of lines) size += lengthOf(line);
    for (const prefix of prefixes ?? []) size += Buffer.byteLength(prefix);
    const bytes = Buffer.allocUnsafe(size);
    let offset = 0;
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index];
      if (line === undefined) continue;
      const prefix = prefixes?.[index] ?? '';
      const prefixAt = offset + headerBytes;
      const dataAt = prefixAt + (prefix === '' ? 0 : bytes.write(prefix, prefixAt));
      const end = putLine(bytes, dataAt, line);
      if (this.#framed) putFrameHeader(bytes, offset, line.source, end - prefixAt);
      offset = end;
    }
    return bytes;
  }

  #prefix(line: LogLine): string {
    const { source, time, isWhole = false } = line;
    const continues = this.#inLine[source];
    this.#inLine[source] = line.text === undefined ? line.data.at(-1) !== newline : !isWhole;
    if (continues) return '';
    return (this.#timestamps ? `${fixedNanoTime(time)} ` : '') + this.#details;
  }
}

const newline = 0x0a;

function lengthOf(line: LogLine): number {
  return line.text === undefined ? line.data.length : line.text.length + (line.isWhole === true ? 1 : 0);
}

/** Answers where it ends. */
function putLine(bytes: Buffer, at: number, line: LogLine): number {
  const text = line.text ?? line.data;
  bytes.set(text, at);
  const end = at + text.length;
  if (line.text === undefined || line.isWhole !== true) return end;
  bytes[end] = newline;
  return end + 1;
}

/** "k=v,k=v", sorted and URL-escaped. */
function detailsOf(attributes: Readonly<Record<string, string>>): string {
  return Object.entries(attributes)
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .toSorted()
    .join(',');
}
