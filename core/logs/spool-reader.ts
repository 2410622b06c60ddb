import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { isErrno } from '@gantry/sdk/linux';
import { type Batch, type BatchLimits, CriParser, type PendingLines } from './cri-parser.ts';
import type { Segments } from './segments.ts';

/** Where the next byte is, and what was begun before it. */
export interface SpoolPosition {
  readonly segment: number;
  readonly offset: number;
  readonly pending: PendingLines;
  /** The driver has all of this segment and of those before it, so they may be gone. */
  readonly isDelivered?: boolean;
}

const readBytes = 256 * 1024;

/**
 * Reads a spool forward from a position, over as many files as there are, while the monitor writes. Holds at most one descriptor, and keeps
 * it: a file that is deleted meanwhile can still be read to its end. Calls are synchronous: what the monitor has just written is in memory.
 */
export class SpoolReader implements Disposable {
  readonly #segments: Segments;
  readonly #parser: CriParser;
  readonly #inPieces: boolean;
  #segment: number;
  #offset: number;
  #file: number | undefined;
  #chunk: Buffer = empty;
  #chunkAt = 0;
  /** The segment where reading should go on was gone, though not all of it was delivered. */
  readonly hasLostPlace: boolean;

  constructor(
    segments: Segments,
    { segment, offset, pending, isDelivered = false }: SpoolPosition,
    options: { readonly inPieces?: boolean } = {},
  ) {
    this.#segments = segments;
    this.#segment = segment;
    this.#offset = offset;
    this.#parser = new CriParser(pending, options);
    this.#inPieces = options.inPieces === true;
    this.hasLostPlace = this.#findPlace() && !isDelivered;
  }

  get segment(): number {
    return this.#segment;
  }

  get malformed(): number {
    return this.#parser.malformed;
  }

  get position(): SpoolPosition {
    return { segment: this.#segment, offset: this.#offset + this.#chunkAt, pending: this.#parser.pending };
  }

  /** Fills the batch up to its limits; false: the end of what is written so far. */
  read(batch: Batch, limits: BatchLimits): boolean {
    for (;;) {
      this.#chunkAt = this.#parser.parse(this.#chunk, this.#chunkAt, batch, limits);
      if (batch.entries.length >= limits.maxEntries || batch.bytes >= limits.maxBytes) return true;
      if (!this.#fill() && !this.#nextSegment()) return false;
    }
  }

  /** Ends lines that the container left open; only when nothing more will be written. */
  flush(batch: Batch): void {
    this.#parser.flush(batch);
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#chunk = empty;
    this.#chunkAt = 0;
  }

  /** Goes on at the next segment when its own is gone; until there is one, waits for it. Answers whether it had to. */
  #findPlace(): boolean {
    const next = this.#segments.has(this.#segment) ? undefined : this.#segments.after(this.#segment);
    if (next === undefined) return false;
    this.#segment = next;
    this.#offset = 0;
    return true;
  }

  /** Loads what follows the last whole line; false when nothing new is there. */
  #fill(): boolean {
    const file = this.#open();
    if (file === undefined) return false;
    const offset = this.#offset + this.#chunkAt;
    const left = this.#chunk.length - this.#chunkAt;
    const { size } = fstatSync(file);
    if (size <= offset + left) {
      // After a power cut the file may be shorter than what was delivered of it.
      if (size < offset) this.#skipTo(size);
      return false;
    }
    // A line longer than a whole read is no line of the monitor's: skip it.
    if (left >= readBytes) this.#skipTo(offset + left);
    else this.#skipTo(offset);
    const chunk = Buffer.allocUnsafeSlow(Math.min(readBytes, size - this.#offset));
    const bytes = readSync(file, chunk, 0, chunk.length, this.#offset);
    this.#chunk = chunk.subarray(0, bytes);
    return bytes > 0;
  }

  #skipTo(offset: number): void {
    this.#offset = offset;
    this.#chunk = empty;
    this.#chunkAt = 0;
  }

  #nextSegment(): boolean {
    this.#segments.refresh();
    const next = this.#segments.after(this.#segment);
    if (next === undefined) return false;
    // The monitor finishes a file before it starts the next, so what is there now is all; but it may have come after the last look.
    if (this.#fill()) return true;
    this[Symbol.dispose]();
    this.#segment = next;
    this.#offset = 0;
    if (!this.#inPieces) this.#segments.goingOn.set(next, begunIn(this.#parser.pending));
    return true;
  }

  #open(): number | undefined {
    if (this.#file !== undefined) return this.#file;
    if (!this.#segments.has(this.#segment)) {
      this.#segments.refresh();
      this.#findPlace();
    }
    try {
      this.#file = openSync(this.#segments.path(this.#segment), 'r');
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
    return this.#file;
  }
}

function begunIn({ stdout, stderr }: PendingLines): ReadonlySet<'stdout' | 'stderr'> {
  return new Set([...(stdout === undefined ? [] : (['stdout'] as const)), ...(stderr === undefined ? [] : (['stderr'] as const))]);
}

const empty = Buffer.alloc(0);
