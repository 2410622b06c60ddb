import { exhausted, unavailable } from '@gantry/sdk';

/** What keeps one driver that hangs from costing anybody else anything. */
export interface LoadLimits {
  /** Calls under way at once. */
  readonly concurrency: number;
  /** Calls that wait for a place. */
  readonly queue: number;
  /** So many deadlines of a method in a row open its breaker, for so long: calls of it fail at once, one is let through as a try. */
  readonly breaker: number;
  readonly openMs: number;
}
interface LoadOptions extends LoadLimits {
  /** Told when a breaker opens or closes, with why one is open. */
  readonly onBreaker: (reason: string | undefined) => void;
}
interface Breaker {
  readonly timeouts: number;
  readonly openUntil: number;
}
const defaultLimits: LoadLimits = { concurrency: 16, queue: 256, breaker: 5, openMs: 5_000 };

/** A bulkhead for all calls of one plugin, and a breaker for each of its methods: one that only hangs in some answers others well. */
export class Load {
  readonly #what: string;
  readonly #limits: LoadLimits;
  readonly #onBreaker: LoadOptions['onBreaker'];
  readonly #waiting: (() => void)[] = [];
  readonly #breakers = new Map<string, Breaker>();
  #underWay = 0;

  constructor(what: string, { onBreaker = () => {}, ...limits }: Partial<LoadOptions> = {}) {
    this.#what = what;
    this.#onBreaker = onBreaker;
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** Held during a call. `exhausted` when too many wait, `unavailable` while the method's breaker is open. */
  async enter(method: string, signal: AbortSignal): Promise<Disposable> {
    this.#checkBreaker(method);
    if (this.#underWay >= this.#limits.concurrency) await this.#waitForPlace(method, signal);
    else this.#underWay += 1;
    return { [Symbol.dispose]: () => this.#leave() };
  }

  succeeded(method: string): void {
    const breaker = this.#breakers.get(method);
    if (breaker === undefined) return;
    this.#breakers.delete(method);
    if (breaker.openUntil !== 0) this.#tell();
  }

  timedOut(method: string): void {
    const timeouts = (this.#breakers.get(method)?.timeouts ?? 0) + 1;
    const isOpen = timeouts >= this.#limits.breaker;
    this.#breakers.set(method, { timeouts, openUntil: isOpen ? performance.now() + this.#limits.openMs : 0 });
    if (isOpen) this.#tell();
  }

  /** The process that did not answer is no more. */
  forget(): void {
    this.#breakers.clear();
    this.#tell();
  }

  #tell(): void {
    const open = [...this.#breakers].filter(([, { openUntil }]) => openUntil !== 0);
    this.#onBreaker(
      open.length === 0
        ? undefined
        : open.map(([method, { timeouts }]) => `it did not answer ${timeouts} calls of ${method} in a row`).join('; '),
    );
  }

  #checkBreaker(method: string): void {
    const { timeouts, openUntil } = this.#breakers.get(method) ?? { timeouts: 0, openUntil: 0 };
    if (openUntil === 0) return;
    const left = openUntil - performance.now();
    if (left > 0) {
      throw unavailable(`${this.#what} did not answer ${timeouts} calls of ${method} in a row`, {
        reason: 'BREAKER_OPEN',
        hint: `it is tried again in ${Math.ceil(left / 1e3)} s`,
      });
    }
    // This call is the try; others wait for how it goes.
    this.#breakers.set(method, { timeouts, openUntil: performance.now() + this.#limits.openMs });
  }

  /** Those before may have opened the breaker meanwhile: who waited behind them need not find out by a deadline of its own. */
  async #waitForPlace(method: string, signal: AbortSignal): Promise<void> {
    await this.#wait(signal);
    try {
      this.#checkBreaker(method);
    } catch (error) {
      this.#leave();
      throw error;
    }
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
