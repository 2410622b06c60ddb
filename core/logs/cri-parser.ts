import type { Entry, LogTime } from '@gantry/sdk/log';

/** Longest line of an entry; a longer one comes in pieces of exactly this many bytes. */
export const maxLineBytes = 16_384;

/** The beginning of a line whose end the monitor has not written yet. At most `maxLineBytes`. */
export interface PendingLine {
  readonly time: LogTime;
  readonly text: Buffer;
}
export interface PendingLines {
  readonly stdout?: PendingLine;
  readonly stderr?: PendingLine;
}
/** Entries on their way, with limits: the parser stops when one is reached. */
export interface Batch {
  readonly entries: Entry[];
  bytes: number;
}
export interface BatchLimits {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

type Source = Entry['source'];

/**
 * Reads the monitor's file: `2026-01-01T00:00:00.000000000+00:00 stdout F line\n`, where P instead of F marks a piece of a line. The monitor
 * cuts pieces wherever its reads end, so they are put together again here. The same bytes always give the same entries.
 */
export class CriParser {
  #stdout: PendingLine | undefined;
  #stderr: PendingLine | undefined;
  #time: LogTime = { seconds: 0, nanos: 0 };
  readonly #inPieces: boolean;
  /** Lines that are not in the format, e.g. torn ones after a full disk; they are left out. */
  malformed = 0;

  /** `inPieces`: each piece as soon as it is written, as an entry of its own. */
  constructor(pending: PendingLines = {}, { inPieces = false }: { readonly inPieces?: boolean } = {}) {
    this.#inPieces = inPieces;
    this.#stdout = pending.stdout;
    this.#stderr = pending.stderr;
  }

  get pending(): PendingLines {
    return {
      ...(this.#stdout === undefined ? {} : { stdout: this.#stdout }),
      ...(this.#stderr === undefined ? {} : { stderr: this.#stderr }),
    };
  }

  /** Parses whole lines from `start` on and answers where it stopped: at a line without its end, or at a limit. Entries share `chunk`'s memory. */
  parse(chunk: Buffer, start: number, batch: Batch, { maxEntries, maxBytes }: BatchLimits): number {
    const { entries } = batch;
    let timedAt = -1;
    let position = start;
    while (entries.length < maxEntries && batch.bytes < maxBytes) {
      const end = chunk.indexOf(newline, position);
      if (end === -1) break;
      const flag = flagOf(chunk, position, end);
      if (flag === 0) this.malformed += 1;
      else {
        if (timedAt === -1 || !isSameTime(chunk, timedAt, position)) this.#time = timeOf(chunk, position);
        timedAt = position;
        const source: Source = chunk[position + sourceAt + 3] === letterO ? 'stdout' : 'stderr';
        const from = position + textAt;
        const pending = source === 'stdout' ? this.#stdout : this.#stderr;
        if (this.#inPieces) push(batch, { time: this.#time, source, line: chunk.subarray(from, end), partial: flag === letterP });
        else if (flag === letterF && pending === undefined && end - from <= maxLineBytes) {
          entries.push({ time: this.#time, source, line: chunk.subarray(from, end), partial: false });
          batch.bytes += end - from;
        } else this.#addPiece(batch, source, chunk.subarray(from, end), flag === letterF);
      }
      position = end + 1;
    }
    return position;
  }

  /** What is left at the end of the output: lines that never got their end. */
  flush(batch: Batch): void {
    for (const source of ['stdout', 'stderr'] as const) {
      const pending = source === 'stdout' ? this.#stdout : this.#stderr;
      if (pending !== undefined) push(batch, { time: pending.time, source, line: pending.text, partial: true });
    }
    this.#stdout = undefined;
    this.#stderr = undefined;
  }

  #addPiece(batch: Batch, source: Source, piece: Buffer, isLast: boolean): void {
    const pending = source === 'stdout' ? this.#stdout : this.#stderr;
    const time = pending?.time ?? this.#time;
    let line = pending === undefined ? piece : Buffer.concat([pending.text, piece]);
    for (; line.length > maxLineBytes; line = line.subarray(maxLineBytes))
      push(batch, { time, source, line: line.subarray(0, maxLineBytes), partial: true });
    let rest: PendingLine | undefined;
    if (isLast) push(batch, { time, source, line, partial: false });
    // A copy: the piece would keep the whole chunk in memory while the rest of the line is awaited.
    else rest = { time, text: Buffer.from(line) };
    if (source === 'stdout') this.#stdout = rest;
    else this.#stderr = rest;
  }
}

const newline = 10;
const space = 32;
const letterF = 70;
const letterP = 80;
const letterO = 111;
const sourceAt = 36;
const textAt = 45;

function push(batch: Batch, entry: Entry): void {
  batch.entries.push(entry);
  batch.bytes += entry.line.length;
}

/** F or P, or 0 when the line has not the monitor's fixed head. */
function flagOf(chunk: Buffer, position: number, end: number): number {
  if (end - position < textAt) return 0;
  if (chunk[position + 35] !== space || chunk[position + 42] !== space || chunk[position + 44] !== space) return 0;
  const flag = chunk[position + 43] ?? 0;
  return flag === letterF || flag === letterP ? flag : 0;
}

/** The monitor stamps everything that one read gave with the same time, so most lines repeat the one before. The last digits differ first. */
function isSameTime(chunk: Buffer, a: number, b: number): boolean {
  for (let index = 34; index >= 0; index -= 1) if (chunk[a + index] !== chunk[b + index]) return false;
  return true;
}

/** `2026-01-01T00:00:00.000000000+00:00` */
function timeOf(chunk: Buffer, at: number): LogTime {
  const number = (from: number, digits: number): number => {
    let value = 0;
    for (let index = at + from; index < at + from + digits; index += 1) value = value * 10 + ((chunk[index] ?? 48) - 48);
    return value;
  };
  const utcMs = Date.UTC(number(0, 4), number(5, 2) - 1, number(8, 2), number(11, 2), number(14, 2), number(17, 2));
  const offsetSeconds = (number(30, 2) * 60 + number(33, 2)) * 60 * (chunk[at + 29] === 45 ? -1 : 1);
  return { seconds: utcMs / 1e3 - offsetSeconds, nanos: number(20, 9) };
}
