import type { Cursor } from './cursor.ts';

interface Sent {
  /** After its last entry. */
  readonly cursor: Cursor;
  readonly droppedBefore: number;
}

/** Batches that may be on their way without an answer. */
const windowBatches = 16;

/** Batches that a driver was sent and has not acknowledged, oldest first. */
export class Outstanding {
  #sent: Sent[] = [];

  get isEmpty(): boolean {
    return this.#sent.length === 0;
  }

  /** No more may be sent until one is acknowledged. */
  get isFull(): boolean {
    return this.#sent.length >= windowBatches;
  }

  add(sent: Sent): void {
    this.#sent.push(sent);
  }

  /** The driver has everything up to this number: where that is; undefined when it is in the middle of a batch, or news to nobody. */
  acknowledge(seq: number): Cursor | undefined {
    let acknowledged: Cursor | undefined;
    while (this.#sent[0] !== undefined && this.#sent[0].cursor.seq <= seq) acknowledged = this.#sent.shift()?.cursor;
    return acknowledged;
  }

  /** They will be sent anew; how many lost lines they told of. */
  takeBack(): number {
    const dropped = this.#sent.reduce((sum, { droppedBefore }) => sum + droppedBefore, 0);
    this.#sent = [];
    return dropped;
  }
}
