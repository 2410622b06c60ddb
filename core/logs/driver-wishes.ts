import type { Logger } from '@gantry/sdk';
import type { WriteResponse } from '@gantry/sdk/log';

const warnEveryMs = 60_000;
const longestWarning = 500;
const longestRestMs = 30_000;

/** What a driver says beside its acknowledgements: how long it wants to be left alone, and what is wrong with it. */
export class DriverWishes {
  readonly #log: Logger;
  readonly #container: string;
  #warnings = 0;
  #warnsFrom = 0;
  #restUntil = 0;

  constructor(log: Logger, container: string) {
    this.#log = log;
    this.#container = container;
  }

  /** For so long nothing is to be sent; 0: now. */
  get restMs(): number {
    return Math.max(0, this.#restUntil - performance.now());
  }

  /** One warning a minute is logged, with how many there were: one for every batch would fill the engine's own log. */
  take({ warning, retryAfterMs }: Pick<WriteResponse, 'warning' | 'retryAfterMs'>): void {
    this.rest(retryAfterMs);
    if (warning === undefined) return;
    this.#warnings += 1;
    const now = performance.now();
    if (now < this.#warnsFrom) return;
    const facts = { container: this.#container, warning: warning.slice(0, longestWarning), warnings: this.#warnings };
    this.#log.warn(facts, 'log driver');
    this.#warnings = 0;
    this.#warnsFrom = now + warnEveryMs;
  }

  /** At most 30 s, whatever it asks for. */
  rest(durationMs = 0): void {
    if (durationMs > 0) this.#restUntil = performance.now() + Math.min(durationMs, longestRestMs);
  }
}
