import { type Encoded, type Entry, formatLogTime, type LogTime } from '@gantry/sdk/log';

/**
 * Turns entries into lines `{"log":"text\n","stream":"stdout","time":"…Z"}\n` with Docker's rules: `<`, `>`, `&` and control characters are escaped, bytes that are
 * no UTF-8 become U+FFFD, a partial line has no `\n`.
 */
export class Encoder {
  readonly #attributes: string;
  #time: LogTime = { seconds: 0, nanos: -1 };
  #tails: Record<Entry['source'], Tails> = { stdout: noTails, stderr: noTails };

  constructor(attributes: Readonly<Record<string, string>>) {
    this.#attributes = Object.keys(attributes).length === 0 ? '' : `"attrs":${escapeHtml(JSON.stringify(attributes))},`;
  }

  /** Encodes entries from `first` on, at least one, as many as fit into `maxBytes`. */
  encode(entries: readonly Entry[], first: number, maxBytes: number): Encoded {
    let memory = free.pop() ?? Buffer.allocUnsafeSlow(memoryBytes);
    memory.set(head, 0);
    let at = head.length;
    let count = 0;
    for (let index = first; index < entries.length; index += 1) {
      const entry = entries[index];
      if (entry === undefined) break;
      const { whole, partial } = this.#tailsOf(entry);
      const most = entry.line.length * longestEscape + whole.length;
      if (at + most > memory.length) memory = grown(memory, at, most);
      const start = at;
      at = escapeInto(memory, at, entry.line);
      const tail = entry.partial ? partial : whole;
      memory.set(tail, at);
      at += tail.length;
      if (at - head.length > maxBytes && count > 0) {
        at = start;
        break;
      }
      count += 1;
    }
    const release = (): void => {
      if (memory.length === memoryBytes && free.length < mostFree) free.push(memory);
    };
    return { bytes: memory.subarray(0, at - head.length), count, [Symbol.dispose]: release };
  }

  #tailsOf({ source, time }: Entry): Tails {
    if (time !== this.#time && (time.seconds !== this.#time.seconds || time.nanos !== this.#time.nanos)) {
      this.#tails = { stdout: noTails, stderr: noTails };
    }
    this.#time = time;
    if (this.#tails[source] === noTails) {
      const tail = `","stream":"${source}",${this.#attributes}"time":"${formatLogTime(time)}"}\n${head.toString()}`;
      this.#tails[source] = { whole: Buffer.from(`\\n${tail}`), partial: Buffer.from(tail) };
    }
    return this.#tails[source];
  }
}

/** What follows the text, with the beginning of the next line: one copy less per entry. */
interface Tails {
  readonly whole: Buffer;
  readonly partial: Buffer;
}
const noTails: Tails = { whole: Buffer.alloc(0), partial: Buffer.alloc(0) };

const head = Buffer.from('{"log":"');
/** Fits the biggest batch of ordinary lines. */
const memoryBytes = 448 * 1024;
const mostFree = 4;
const free: Buffer<ArrayBuffer>[] = [];
/** A byte becomes at most `�`. */
const longestEscape = 6;
const backslash = 92;

/** Bytes that stand for themselves. */
const isPlain = new Uint8Array(256);
for (let byte = 0x20; byte < 0x80; byte += 1) isPlain[byte] = '"\\<>&'.includes(String.fromCharCode(byte)) ? 0 : 1;

/** Most lines need nothing: look first, then copy as a whole, which is three times as fast as byte by byte. */
function escapeInto(out: Uint8Array, at: number, line: Uint8Array): number {
  const { length } = line;
  let plain = 0;
  while (plain < length && isPlain[line[plain] ?? 0] === 1) plain += 1;
  if (plain < length) return escapeRest(out, at, line);
  out.set(line, at);
  return at + length;
}

function escapeRest(out: Uint8Array, start: number, line: Uint8Array): number {
  let at = start;
  for (let index = 0; index < line.length; ) {
    const byte = line[index] ?? 0;
    if (isPlain[byte] === 1) {
      out[at++] = byte;
      index += 1;
    } else if (byte < 0x80) {
      at = putEscaped(out, at, byte);
      index += 1;
    } else {
      const length = sequenceLength(line, index);
      if (length === 0) at = putText(out, at, '\\ufffd');
      else if (isLineSeparator(line, index)) at = putText(out, at, line[index + 2] === 0xa8 ? '\\u2028' : '\\u2029');
      else for (let part = 0; part < length; part += 1) out[at++] = line[index + part] ?? 0;
      index += length === 0 ? 1 : length;
    }
  }
  return at;
}

function putEscaped(out: Uint8Array, at: number, byte: number): number {
  const short = byte === 34 ? 34 : byte === backslash ? backslash : byte === 10 ? 110 : byte === 13 ? 114 : 0;
  if (short === 0) return putText(out, at, `\\u00${byte.toString(16).padStart(2, '0')}`);
  out[at] = backslash;
  out[at + 1] = short;
  return at + 2;
}

function putText(out: Uint8Array, start: number, text: string): number {
  for (let index = 0; index < text.length; index += 1) out[start + index] = text.charCodeAt(index);
  return start + text.length;
}

/** Bytes of the UTF-8 character that begins here; 0 when none does (Unicode 15, table 3-7). */
function sequenceLength(line: Uint8Array, at: number): number {
  const first = line[at] ?? 0;
  const second = line[at + 1] ?? 0;
  if (first < 0xc2 || first > 0xf4) return 0;
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let part = 2; part < length; part += 1) if (((line[at + part] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

function isLineSeparator(line: Uint8Array, at: number): boolean {
  return line[at] === 0xe2 && line[at + 1] === 0x80 && (line[at + 2] === 0xa8 || line[at + 2] === 0xa9);
}

function escapeHtml(json: string): string {
  return json.replaceAll(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function grown(memory: Buffer, used: number, more: number): Buffer<ArrayBuffer> {
  const bigger = Buffer.allocUnsafeSlow(Math.max(memory.length * 2, used + more));
  memory.copy(bigger, 0, 0, used);
  return bigger;
}
