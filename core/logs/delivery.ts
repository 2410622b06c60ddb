import type { Entry, WriteRequest } from '@gantry/sdk/log';
import type { LogCursors } from '../metadata/index.ts';
import { type Cursor, loadCursor, storeCursor } from './cursor.ts';
import { Outstanding } from './outstanding.ts';
import type { Segments } from './segments.ts';
import { type SpoolPosition, SpoolReader } from './spool-reader.ts';

/** What a driver was sent of one container's output, what it has acknowledged, and how much of it was lost on the way. */
export class Delivery {
  readonly #containerId: string;
  readonly #cursors: LogCursors;
  readonly #outstanding = new Outstanding();
  #cursor: Cursor;
  #sentSeq = 0;
  /** Lines that were lost and that the driver has not been told of. */
  #dropped = 0;
  /** Of what the reader left out, how much the driver knows. */
  #malformedTold = 0;

  constructor(containerId: string, cursors: LogCursors) {
    this.#containerId = containerId;
    this.#cursors = cursors;
    this.#cursor = loadCursor(cursors.get(containerId));
  }

  /** After the last entry that is acknowledged. */
  get cursor(): Cursor {
    return this.#cursor;
  }

  get sentSeq(): number {
    return this.#sentSeq;
  }

  /** No more may be sent until something is acknowledged. */
  get isFull(): boolean {
    return this.#outstanding.isFull;
  }

  /** Everything that was sent is acknowledged. */
  get isSettled(): boolean {
    return this.#outstanding.isEmpty;
  }

  /** The next batch, and where the reader is after it. */
  batch(entries: readonly Entry[], reader: SpoolReader | undefined): WriteRequest {
    const firstSeq = this.#sentSeq + 1;
    this.#sentSeq += entries.length;
    const position = reader?.position ?? this.#cursor.position;
    const malformed = reader?.malformed ?? 0;
    const droppedBefore = this.#dropped + malformed - this.#malformedTold;
    this.#malformedTold = malformed;
    this.#dropped = 0;
    this.#outstanding.add({ cursor: { epoch: this.#cursor.epoch, seq: this.#sentSeq, position }, droppedBefore });
    return { kind: 'batch', firstSeq, entries, droppedBefore };
  }

  /** The driver has everything up to this number; the cursor where it moved. */
  acknowledge(seq: number): Cursor | undefined {
    const acknowledged = this.#outstanding.acknowledge(seq);
    if (acknowledged === undefined) return undefined;
    this.#cursor = acknowledged;
    this.#cursors.set(this.#containerId, storeCursor(acknowledged));
    return acknowledged;
  }

  /** Output is lost up to a position, so the numbers that the driver knows mean nothing any more: a new epoch begins there. */
  lose(lines: number, position: SpoolPosition): void {
    this.#dropped += lines;
    this.#cursor = { epoch: this.#cursor.epoch + 1, seq: 0, position };
    this.#cursors.set(this.#containerId, storeCursor(this.#cursor));
    this.#cursors.flush();
  }

  /** A new stream begins after what is acknowledged; the answer reads from there. */
  rewind(segments: Segments): SpoolReader {
    this.#dropped += this.#outstanding.takeBack();
    const reader = new SpoolReader(segments, this.#cursor.position);
    this.#malformedTold = 0;
    if (reader.hasLostPlace) {
      this.#dropped += 1;
      this.#cursor = { epoch: this.#cursor.epoch + 1, seq: 0, position: reader.position };
    }
    this.#sentSeq = this.#cursor.seq;
    return reader;
  }
}
