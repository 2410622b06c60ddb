import type { Writable } from 'node:stream';
import { cancelled, release } from '@gantry/sdk';

/** A client that reads at its own pace. */
export class Outgoing {
  readonly #writable: Writable;

  constructor(writable: Writable) {
    this.#writable = writable;
  }

  /** Resolves when more may be written; rejects with `cancelled` when the client is gone. */
  async write(...chunks: readonly (Buffer | string)[]): Promise<void> {
    if (this.#writable.destroyed) throw cancelled('the client went away');
    if (chunks.length > 1) this.#writable.cork();
    let more = true;
    for (const chunk of chunks) more = this.#writable.write(chunk);
    if (chunks.length > 1) this.#writable.uncork();
    if (!more) await drained(this.#writable);
  }

  /** Sends everything of `source`, which gives its chunks away, and ends the answer. */
  async pipe(source: AsyncIterable<Buffer | string>): Promise<void> {
    for await (const chunk of source) {
      await this.write(chunk);
      // With nothing left to send, this was sent.
      if (this.#writable.writableLength === 0) release(chunk);
    }
    this.end();
  }

  end(last?: Buffer | string): void {
    this.#writable.end(last);
  }

  /** Breaks off, so that the client sees an incomplete answer and not a short one. */
  destroy(): void {
    this.#writable.destroy();
  }
}

function drained(writable: Writable): Promise<void> {
  if (!writable.writableNeedDrain) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onDrain = () => {
      writable.off('close', onClose);
      resolve();
    };
    const onClose = () => {
      writable.off('drain', onDrain);
      reject(cancelled('the client went away'));
    };
    writable.once('drain', onDrain);
    writable.once('close', onClose);
  });
}
