import { exhausted, unavailable } from '@gantry/sdk';

/** What keeps one driver that hangs from costing anybody else anything. */
export interface LoadLimits {
  /** Calls under way at once. */
  readonly concurrency: number;
  /** Calls that wait for a place. */
  readonly queue: number;
  /** So many deadlines in a row open the breaker, for so long: calls fail at once, one is let through as a try. */
  readonly breaker: number;
  readonly openMs: number;
}
const defaultLimits: LoadLimits = { concurrency: 16, queue: 256, breaker: 5, openMs: 5_000 };

/** A bulkhead and a breaker, for all calls of one plugin. */
export class Load {
  readonly #what: string;
  readonly #limits: LoadLimits;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  #timeouts = 0;
  #openUntil = 0;

  constructor(what: string, limits: Partial<LoadLimits> = {}) {
    this.#what = what;
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** Held during a call. `exhausted` when too many wait, `unavailable` while the breaker is open. */
  async enter(signal: AbortSignal): Promise<Disposable> {
    this.#checkBreaker();
    if (this.#underWay >= this.#limits.concurrency) await this.#wait(signal);
    else this.#underWay += 1;
    return { [Symbol.dispose]: () => this.#leave() };
  }

  succeeded(): void {
    this.#timeouts = 0;
    this.#openUntil = 0;
  }

  timedOut(): void {
    this.#timeouts += 1;
    if (this.#timeouts >= this.#limits.breaker) this.#openUntil = performance.now() + this.#limits.openMs;
  }

  #checkBreaker(): void {
    if (this.#openUntil === 0) return;
    const left = this.#openUntil - performance.now();
    if (left > 0) {
      throw unavailable(`${this.#what} did not answer ${this.#timeouts} calls in a row`, {
        reason: 'BREAKER_OPEN',
        hint: `it is tried again in ${Math.ceil(left / 1e3)} s`,
      });
    }
    // This call is the try; others wait for how it goes.
    this.#openUntil = performance.now() + this.#limits.openMs;
  }

  async #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#limits.queue)
      throw exhausted(`${this.#what} has ${this.#waiting.length} calls waiting already`, { reason: 'QUEUE_FULL' });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => {
      this.#waiting.splice(this.#waiting.indexOf(resolve), 1);
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(resolve);
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** The place goes to who waits longest, so nobody can slip in between. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#underWay -= 1;
    else next();
  }
}
