import { conflict } from '@gantry/sdk';
import type { PluginState } from '@gantry/sdk/engine';
import type { PluginRecord } from '../record.ts';

export interface Failure {
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Who says that a plugin works badly: itself, a breaker, its self-test, what its drivers' back ends come to, or who looked for its objects. */
export type Complaint = 'report' | 'breaker' | 'self-test' | 'back end' | 'objects';

/** How a plugin fares, why, and who waits for it to fare otherwise. */
export class Status {
  readonly #onEvent: (action: string, attributes?: Readonly<Record<string, string>>) => void;
  #state: PluginState;
  #failure: Failure | undefined;
  readonly #complaints = new Map<Complaint, readonly string[]>();
  #waiters: (() => void)[] = [];

  constructor(state: PluginState, onEvent: (action: string, attributes?: Readonly<Record<string, string>>) => void) {
    this.#state = state;
    this.#onEvent = onEvent;
  }

  get state(): PluginState {
    return this.#state === 'ready' && this.#reasons().length > 0 ? 'degraded' : this.#state;
  }

  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** One line: why it does not serve, or serves badly. */
  get problem(): string | undefined {
    return this.#failure?.message ?? (this.#reasons().join('; ') || undefined);
  }

  become(state: PluginState, failure = this.#failure): void {
    this.#failure = failure;
    if (this.#state === state) return;
    this.#state = state;
    if (state === 'ready') this.#onEvent('ready');
    if (state !== 'backoff' && state !== 'starting') this.#wake();
  }

  /** A new generation serves: what was said of the one before is past. */
  serves(): void {
    this.#failure = undefined;
    for (const past of ['report', 'self-test', 'back end'] as const) this.#complaints.delete(past);
    this.become('ready');
    this.#wake();
  }

  /** Why it works badly, says who; none: this one has nothing to complain about any more. */
  complain(who: Complaint, reasons: readonly string[]): void {
    const was = this.state;
    this.#complaints.set(
      who,
      reasons.slice(0, 16).map((reason) => reason.slice(0, 256)),
    );
    if (was !== this.state) this.#onEvent(this.state, { reason: this.#reasons().join('; ') });
  }

  /** Resolves when a start succeeded, or when none is to come. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Throws, with what to do, when it will not serve by itself. */
  refuse({ name, enabled }: PluginRecord): void {
    if (!enabled) throw conflict(`plugin ${name} is disabled`, { hint: `gantry plugin enable ${name}`, reason: 'PLUGIN_DISABLED' });
    if (this.#state !== 'quarantined' && this.#state !== 'incompatible' && this.#state !== 'misconfigured') return;
    throw conflict(`plugin ${name} is ${this.#state}${this.because}`, {
      hint: this.#failure?.hint ?? `gantry plugin inspect ${name}`,
      reason: 'PLUGIN_UNUSABLE',
    });
  }

  /** ": it ended", for the end of a sentence. */
  get because(): string {
    return this.#failure === undefined ? '' : `: ${this.#failure.message}`;
  }

  #reasons(): readonly string[] {
    return [...this.#complaints.values()].flat();
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}
