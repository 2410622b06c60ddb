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
    for (const { data } of lines) size += data.length;
    for (const prefix of prefixes ?? []) size += Buffer.byteLength(prefix);
    const bytes = Buffer.allocUnsafe(size);
    let offset = 0;
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index];
      if (line === undefined) continue;
      const prefix = prefixes?.[index] ?? '';
      const prefixAt = offset + headerBytes;
      const dataAt = prefixAt + (prefix === '' ? 0 : bytes.write(prefix, prefixAt));
      line.data.copy(bytes, dataAt);
      const end = dataAt + line.data.length;
      if (this.#framed) putFrameHeader(bytes, offset, line.source, end - prefixAt);
      offset = end;
    }
    return bytes;
  }

  #prefix({ source, time, data }: LogLine): string {
    const continues = this.#inLine[source];
    this.#inLine[source] = data.at(-1) !== 0x0a;
    if (continues) return '';
    return (this.#timestamps ? `${fixedNanoTime(time)} ` : '') + this.#details;
  }
}

/** "k=v,k=v", sorted and URL-escaped. */
function detailsOf(attributes: Readonly<Record<string, string>>): string {
  return Object.entries(attributes)
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .toSorted()
    .join(',');
}
