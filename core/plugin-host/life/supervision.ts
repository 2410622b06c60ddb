import { GantryError, messageOf } from '@gantry/sdk';
import type { PluginState } from '@gantry/sdk/engine';
import { Budget } from './budget.ts';
import type { PluginPolicy } from './policy.ts';
import type { PluginRecord } from '../record.ts';

/** What becomes of a plugin that failed. Without `retryMs` it is not started again by itself. */
export interface Verdict {
  readonly state: PluginState;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly retryMs?: number | undefined;
}

/** Judges ends, failed starts and strikes: back-off, then quarantine. It decides, the plugin acts. */
export class Supervision {
  readonly #plugin: Pick<PluginRecord, 'name' | 'placement'>;
  readonly #policy: PluginPolicy;
  readonly #crashes: Budget;
  readonly #strikes: Budget;
  #quarantines = 0;

  constructor(plugin: Pick<PluginRecord, 'name' | 'placement'>, policy: PluginPolicy) {
    this.#plugin = plugin;
    this.#policy = policy;
    this.#crashes = new Budget(policy.crashBudget);
    this.#strikes = new Budget(policy.strikeBudget);
  }

  /** A generation ended that nobody stopped. */
  crashed(reason: string, hint?: string): Verdict {
    if (this.#crashes.spend()) return this.#quarantined(`it ended ${this.#crashes.used} times in a short while; the last: ${reason}`);
    const [first, most] = this.#policy.backOffMs;
    return { state: 'backoff', message: reason, hint, retryMs: Math.min(most, first * 2 ** (this.#crashes.used - 1)) };
  }

  /** It answered what its contract or its grant forbids. Undefined while it may go on; what runs in this process always may. */
  struck(reason: string): Verdict | undefined {
    if (!this.#strikes.spend() || this.#plugin.placement === 'in-process') return undefined;
    return this.#quarantined(`it broke its contract ${this.#strikes.used} times; the last: ${reason}`);
  }

  /** Only what may be another time at the next try is tried again. */
  failedToStart(error: unknown): Verdict {
    const message = messageOf(error);
    const { hint, reason: kind } = GantryError.is(error) ? error : {};
    if (kind === 'NO_COMMON_VERSION') return { state: 'incompatible', message, hint: hint ?? this.#otherVersion() };
    if (kind === 'MISCONFIGURED') return { state: 'misconfigured', message, hint };
    if (kind === 'WRONG_PROOF' || kind === 'MANIFEST_MISMATCH') return this.#quarantined(message);
    if (this.#plugin.placement === 'in-process') return { state: 'failed', message, hint };
    return this.crashed(message, hint);
  }

  /** The user wants it tried: what was is forgotten. */
  forgive(): void {
    this.#crashes.refill();
    this.#strikes.refill();
    this.#quarantines = 0;
  }

  #quarantined(message: string): Verdict {
    const { quarantineMs } = this.#policy;
    const retryMs = quarantineMs[Math.min(this.#quarantines, quarantineMs.length - 1)] ?? 60_000;
    this.#quarantines += 1;
    const { name } = this.#plugin;
    return {
      state: 'quarantined',
      message,
      hint: `look at: gantry plugin logs ${name}; try it again with: gantry plugin enable ${name}`,
      retryMs,
    };
  }

  #otherVersion(): string {
    return `install another version: gantry plugin upgrade ${this.#plugin.name}, or upgrade the engine`;
  }
}
