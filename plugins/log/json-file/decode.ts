import { type Entry, type LogTime, parseLogTime } from '@gantry/sdk/log';

/** Reads lines that `Encoder`, or Docker, wrote. Lines that are damaged are left out. */
export class Decoder {
  #time: LogTime = { seconds: 0, nanos: 0 };
  #timeText = Buffer.alloc(0);

  /** Decodes whole lines from `start` on, at most `maxEntries`, and answers where it stopped. Entries share `chunk`'s memory. */
  decode(chunk: Buffer, start: number, entries: Entry[], maxEntries: number): number {
    let position = start;
    while (entries.length < maxEntries) {
      const end = chunk.indexOf(newline, position);
      if (end === -1) break;
      const entry = this.#plain(chunk, position, end) ?? this.#any(chunk.subarray(position, end));
      if (entry !== undefined) entries.push(entry);
      position = end + 1;
    }
    return position;
  }

  /** The common case without a JSON parser: nothing escaped but the last newline, no attributes. Undefined: look closer. */
  #plain(chunk: Buffer, start: number, end: number): Entry | undefined {
    for (let index = 0; index < head.length; index += 1) if (chunk[start + index] !== head[index]) return undefined;
    const from = start + head.length;
    const quote = chunk.indexOf(quotation, from);
    if (quote === -1 || quote + timeAt + shortestTime > end) return undefined;
    const escape = chunk.indexOf(backslash, from);
    const isWhole = escape === quote - 2 && chunk[quote - 1] === letterN;
    if (!isWhole && escape !== -1 && escape < quote) return undefined;
    for (let index = 0; index < middle.length; index += 1) {
      const byte = middle[index];
      if (byte !== 0 && chunk[quote + index] !== byte) return undefined;
    }
    const source = chunk[quote + sourceAt] === letterO ? 'stdout' : 'stderr';
    const time = this.#timeAt(chunk, quote + timeAt, end - 2);
    if (time === undefined || chunk[end - 2] !== quotation || chunk[end - 1] !== brace) return undefined;
    return { time, source, line: chunk.subarray(from, isWhole ? escape : quote), partial: !isWhole };
  }

  #any(line: Buffer): Entry | undefined {
    try {
      const value: unknown = JSON.parse(line.toString());
      if (typeof value !== 'object' || value === null) return undefined;
      const { log = '', stream, time } = value as { log?: unknown; stream?: unknown; time?: unknown };
      const parsed = parseLogTime(String(time));
      if (typeof log !== 'string' || parsed === undefined) return undefined;
      const partial = !log.endsWith('\n');
      const text = Buffer.from(partial ? log : log.slice(0, -1));
      return { time: parsed, source: stream === 'stderr' ? 'stderr' : 'stdout', line: text, partial };
    } catch {
      return undefined;
    }
  }

  #timeAt(chunk: Buffer, from: number, to: number): LogTime | undefined {
    if (to - from === this.#timeText.length && this.#isSameTime(chunk, from)) return this.#time;
    const time = parseLogTime(chunk.toString('latin1', from, to));
    if (time === undefined) return undefined;
    this.#time = time;
    this.#timeText = Buffer.from(chunk.subarray(from, to));
    return time;
  }

  /** Neighbours often share their time; when not, the last digits differ. */
  #isSameTime(chunk: Buffer, from: number): boolean {
    const text = this.#timeText;
    for (let index = text.length - 1; index >= 0; index -= 1) if (chunk[from + index] !== text[index]) return false;
    return true;
  }
}

const newline = 10;
const quotation = 34;
const backslash = 92;
const letterN = 110;
const letterO = 111;
const brace = 125;
const head = Buffer.from('{"log":"');
/** What follows the text; zero bytes stand for "out" or "err". */
const middle = Buffer.from('","stream":"std\0\0\0","time":"');
const sourceAt = 15;
const timeAt = middle.length;
const shortestTime = '2026-01-01T00:00:00Z"}'.length;
