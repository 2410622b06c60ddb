import { within } from './within.ts';

/** Calls that wait while what serves them is being changed. */
export class Parking {
  #parked: Promise<void> | undefined;

  /** Until the answer is disposed of; a second one takes over from the first. */
  park(): Disposable {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#parked = promise;
    return {
      [Symbol.dispose]: () => {
        if (this.#parked === promise) this.#parked = undefined;
        resolve();
      },
    };
  }

  /** Undefined when nothing is being changed: then nobody waits, not even a turn. */
  over(waitMs: number, signal: AbortSignal | undefined): Promise<void> | undefined {
    return this.#parked && within(this.#parked, waitMs, signal);
  }
}
