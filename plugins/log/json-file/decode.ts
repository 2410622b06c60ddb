import { type Entry, type LogTime, parseLogTime } from '@gantry/sdk/log';

/** Reads lines that `Encoder`, or Docker, wrote. Lines that are damaged are left out. */
export class Decoder {
  #time: LogTime = { seconds: 0, nanos: 0 };
  #timeText = Buffer.alloc(0);

  /** Decodes whole lines from `start` on, at most `maxEntries`, and answers where it stopped. Entries share `chunk`'s memory. */
  decode(chunk: Buffer, start: number, entries: Entry[], maxEntries: number): number {
    let position = start;
    while (entries.length < maxEntries) {
      const plainEnd = this.#plain(chunk, position, entries);
      const end = plainEnd === -1 ? chunk.indexOf(newline, position) : plainEnd;
      if (end === -1) break;
      const entry = plainEnd === -1 ? this.#any(chunk.subarray(position, end)) : undefined;
      if (entry !== undefined) entries.push(entry);
      position = end + 1;
    }
    return position;
  }

  /** The common case without a JSON parser: nothing escaped but the last newline, no attributes. Answers where the line ends; -1: look closer. */
  #plain(chunk: Buffer, start: number, entries: Entry[]): number {
    for (let index = 0; index < head.length; index += 1) if (chunk[start + index] !== head[index]) return -1;
    const from = start + head.length;
    const quote = chunk.indexOf(quotation, from);
    if (quote === -1) return -1;
    for (let index = 0; index < middle.length; index += 1) {
      const byte = middle[index];
      if (byte !== 0 && chunk[quote + index] !== byte) return -1;
    }
    const isWhole = quote - from >= 2 && chunk[quote - 1] === letterN && chunk[quote - 2] === backslash;
    const escape = chunk.indexOf(backslash, from);
    if (isWhole ? escape !== quote - 2 : escape !== -1 && escape < quote) return -1;
    const end = this.#endOfTime(chunk, quote + timeAt);
    if (end === -1) return -1;
    const source = chunk[quote + sourceAt] === letterO ? 'stdout' : 'stderr';
    entries.push({ time: this.#time, source, line: chunk.subarray(from, isWhole ? escape : quote), partial: !isWhole });
    return end;
  }

  /** Reads the time from there on, unless it is the last line's, and answers where the line ends; -1: there is something else. */
  #endOfTime(chunk: Buffer, from: number): number {
    const usual = from + this.#timeText.length;
    if (isEndOfLine(chunk, usual) && this.#isSameTime(chunk, from)) return usual + 2;
    const quote = chunk.indexOf(quotation, from);
    if (quote === -1 || !isEndOfLine(chunk, quote)) return -1;
    const time = parseLogTime(chunk.toString('latin1', from, quote));
    if (time === undefined) return -1;
    this.#time = time;
    this.#timeText = Buffer.from(chunk.subarray(from, quote));
    return quote + 2;
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

  /** Neighbours often share their time; when not, the last digits differ. */
  #isSameTime(chunk: Buffer, from: number): boolean {
    const text = this.#timeText;
    for (let index = text.length - 1; index >= 0; index -= 1) if (chunk[from + index] !== text[index]) return false;
    return true;
  }
}

/** `"}` and the newline. */
function isEndOfLine(chunk: Buffer, at: number): boolean {
  return chunk[at] === quotation && chunk[at + 1] === brace && chunk[at + 2] === newline;
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
