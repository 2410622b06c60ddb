interface Waiter {
  readonly afterLook: number;
  seq: number | undefined;
  readonly resolve: () => void;
}

/** Those who wait until the driver has everything that was in the spool when they came. */
export class Waiters {
  #looks = 0;
  #waiting: Waiter[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Never rejects. */
  join(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ afterLook: this.#looks, seq: undefined, resolve });
    });
  }

  /** The reader has seen the end of the spool, whose last entry had this number. */
  endSeen(seq: number): void {
    this.#looks += 1;
    for (const waiter of this.#waiting) if (waiter.afterLook < this.#looks) waiter.seq ??= seq;
  }

  acknowledged(ackedSeq: number): void {
    if (this.isEmpty) return;
    const done = this.#waiting.filter(({ seq }) => seq !== undefined && seq <= ackedSeq);
    this.#waiting = this.#waiting.filter((waiter) => !done.includes(waiter));
    for (const { resolve } of done) resolve();
  }

  /** Nobody waits any more. */
  end(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }
}
