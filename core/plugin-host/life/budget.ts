/** So many events within a time, and no more. */
export interface Allowance {
  readonly count: number;
  readonly withinMs: number;
}

/** Counts events against an allowance; those that are long past count no more. */
export class Budget {
  readonly #allowance: Allowance;
  #times: readonly number[] = [];

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
  }

  get used(): number {
    return this.#times.length;
  }

  /** True when this one was the last that is allowed, or one more. */
  spend(): boolean {
    const now = performance.now();
    this.#times = [...this.#times.filter((time) => now - time < this.#allowance.withinMs), now];
    return this.#times.length >= this.#allowance.count;
  }

  refill(): void {
    this.#times = [];
  }
}
