import { aborted, conflict, deadlineExceeded, durationMs, GantryError, messageOf, type Report, unavailable } from '@gantry/sdk';
import type { PluginInfo, PluginState } from '@gantry/sdk/engine';
import { tellProgress } from '../drivers/index.ts';
import { readDockerConfig } from '../plugin-install/index.ts';
import { anySignal } from '../support/index.ts';
import { Generation } from './generation.ts';
import type { Ending, Link } from './link.ts';
import { Output } from './output.ts';
import type { PluginPolicy } from './policy.ts';
import type { PluginRecord, Version } from './record.ts';
import { withDefaults } from './settings.ts';

export interface PluginParts {
  readonly policy: PluginPolicy;
  /** Runs one version; `number` tells its generation from all others. */
  readonly start: (plugin: Plugin, version: Version, number: number, signal: AbortSignal) => Promise<Link>;
  readonly onEvent: (plugin: Plugin, action: string, attributes?: Readonly<Record<string, string>>) => void;
  /** After a generation became ready that is not the first of this engine: what was left open with the one before. */
  readonly onReady: (plugin: Plugin, generation: Generation) => void;
  /** The probation after an upgrade was not passed. */
  readonly onProbationFailed: (plugin: Plugin, reason: string) => void;
}

/** One installed plugin: what the user wants of it, how it fares, and the generation that serves. */
export class Plugin {
  record: PluginRecord;
  readonly output = new Output();
  readonly #parts: PluginParts;
  #state: PluginState;
  #error: { readonly message: string; readonly hint?: string | undefined } | undefined;
  #current: Generation | undefined;
  #starting: Promise<Generation> | undefined;
  #parked: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #waiters: (() => void)[] = [];
  #health: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #crashes: number[] = [];
  #strikes: number[] = [];
  #quarantines = 0;
  #number = 0;
  #held = 0;
  #restarts = 0;
  #probationUntil = 0;
  #degraded: readonly string[] = [];
  #stalled: string | undefined;
  #closed = false;

  constructor(record: PluginRecord, parts: PluginParts) {
    this.record = record;
    this.#parts = parts;
    this.#state = record.enabled ? 'discovered' : 'disabled';
  }

  get name(): string {
    return this.record.name;
  }

  get state(): PluginState {
    return this.#state === 'ready' && this.#reasons().length > 0 ? 'degraded' : this.#state;
  }

  get current(): Generation | undefined {
    return this.#current;
  }

  info(): Omit<PluginInfo, 'shadowed' | 'privileges'> {
    const { record } = this;
    const generation = this.#current;
    const { version, description = '', provides } = record.manifest;
    const error = this.#error?.message ?? (this.#reasons().join('; ') || undefined);
    return {
      id: record.id,
      name: record.name,
      version,
      description,
      source: record.source,
      builtIn: record.builtIn,
      placement: record.placement,
      enabled: record.enabled,
      state: this.state,
      ...(error === undefined ? {} : { error }),
      ...(this.#error?.hint === undefined ? {} : { hint: this.#error.hint }),
      provides: provides.map(({ contract, drivers, features = [] }) => ({ contract, drivers, features })),
      settings: record.settings,
      secrets: Object.keys(record.secrets),
      ...(this.#number === 0 ? {} : { generation: generation?.number ?? this.#number }),
      ...(generation?.link.pid === undefined ? {} : { pid: generation.link.pid }),
      ...(generation === undefined ? {} : { startedInMs: generation.startedInMs, startedAt: generation.startedAt }),
      restarts: this.#restarts,
      ...(record.previous === undefined ? {} : { previousVersion: record.previous.manifest.version }),
      output: this.output.tail(20),
      ...(record.dockerConfig === undefined ? {} : { dockerConfig: readDockerConfig(record.dockerConfig) }),
    };
  }

  /**
   * The generation that serves, started when there is none. While one is being started or switched, waits up to the policy's time; a plugin
   * that will not come by itself is refused at once, with what to do.
   */
  async serving(signal?: AbortSignal): Promise<Generation> {
    if (this.#parked !== undefined) await within(this.#parked, this.#parts.policy.waitMs, signal);
    if (this.#current !== undefined) {
      this.#touch();
      return this.#current;
    }
    this.#refuse();
    if (this.#state === 'backoff' && this.record.placement !== 'in-process') await this.#nextStart(signal);
    return this.#current ?? this.start(signal);
  }

  /** Calls wait until the answer is disposed of: what serves next is being changed. */
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

  /** While it is held, an idle plugin is not stopped: a stream that is open is a use of it. */
  hold(): Disposable {
    this.#held += 1;
    clearTimeout(this.#idle);
    return {
      [Symbol.dispose]: () => {
        this.#held -= 1;
        this.#touch();
      },
    };
  }

  /** A second call while it starts waits for the same start. Aborting stops the waiting alone. */
  start(signal?: AbortSignal): Promise<Generation> {
    this.#starting ??= this.#startOnce().finally(() => (this.#starting = undefined));
    return signal === undefined ? this.#starting : within(this.#starting, Number.POSITIVE_INFINITY, signal);
  }

  /** A start under way has succeeded or failed. */
  async settled(): Promise<void> {
    await this.#starting?.catch(() => {});
  }

  /** As the user wishes it from now on; quarantine and back-off are forgotten. */
  allow(): void {
    clearTimeout(this.#retry);
    this.#crashes = [];
    this.#strikes = [];
    this.#quarantines = 0;
    if (this.#current === undefined) this.#become('discovered');
  }

  /** Ends the running generation, gently. `to` is the state afterwards. */
  async stop(to: PluginState = 'discovered'): Promise<void> {
    clearTimeout(this.#retry);
    clearInterval(this.#health);
    const generation = this.#current;
    await this.#starting?.catch(() => {});
    const running = generation ?? this.#current;
    this.#current = undefined;
    this.#become(running === undefined ? to : 'stopping');
    await running?.link.stop();
    this.#become(to);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    await this.stop();
  }

  /** Puts a proven generation in the place of the one that serves; calls meanwhile wait. `prove` runs while they do, just before the switch. */
  async swap(version: Version, { settings, secrets, prove, isExclusive, commit }: Swap): Promise<void> {
    const old = this.#current;
    using parked = new DisposableStack();
    if (isExclusive) {
      parked.use(this.park());
      this.#current = undefined;
      await old?.link.stop();
    }
    try {
      const next = await this.#launch(version, settings, secrets);
      try {
        await prove(next);
        if (!isExclusive) parked.use(this.park());
        await commit();
      } catch (error) {
        await next.link.kill('the switch was given up');
        throw error;
      }
      this.#serve(next);
      this.#probationUntil = performance.now() + this.#parts.policy.probationMs;
    } catch (error) {
      if (isExclusive) await this.start().catch(() => {});
      throw error;
    }
    if (!isExclusive) void old?.link.stop();
  }

  /** The plugin answered something that its contract or its grant forbids. */
  strike(reason: string): void {
    this.output.say(`strike: ${reason}`);
    this.#strikes = recent(this.#strikes, this.#parts.policy.strikeBudget.withinMs);
    this.#strikes.push(performance.now());
    if (this.#failProbation(reason)) return;
    if (this.record.placement === 'in-process' || this.#strikes.length < this.#parts.policy.strikeBudget.count) return;
    const generation = this.#current;
    this.#current = undefined;
    this.#quarantine(`it broke its contract ${this.#strikes.length} times; the last: ${reason}`);
    void generation?.link.kill('quarantined');
  }

  /** It does not answer: ended by force, and started again as after a crash. */
  async hang(reason: string): Promise<void> {
    this.#parts.onEvent(this, 'hang', { reason });
    await this.#current?.link.kill(reason);
  }

  /** Its breaker opened, for the reason, or closed. */
  stall(reason: string | undefined): void {
    this.#degrade(() => (this.#stalled = reason));
  }

  readonly onReport = async ({ degraded, operationId, progress }: Report): Promise<void> => {
    if (operationId !== undefined && progress !== undefined) tellProgress(operationId);
    if (degraded !== undefined) this.#degrade(() => (this.#degraded = degraded.slice(0, 16).map((reason) => reason.slice(0, 256))));
  };

  #degrade(change: () => void): void {
    const was = this.state;
    change();
    if (was !== this.state) this.#parts.onEvent(this, this.state, { reason: this.#reasons().join('; ') });
  }

  #reasons(): readonly string[] {
    return this.#stalled === undefined ? this.#degraded : [...this.#degraded, this.#stalled];
  }

  async #startOnce(): Promise<Generation> {
    this.#become('starting');
    try {
      const generation = await this.#launch(this.record, this.record.settings, this.record.secrets);
      if (this.#closed || !this.record.enabled) {
        await generation.link.stop();
        throw aborted(`plugin ${this.name} was stopped while it started`);
      }
      this.#serve(generation);
      return generation;
    } catch (error) {
      this.#failed(error);
      if (GantryError.is(error))
        throw new GantryError(error.code, `plugin ${this.name} failed to start: ${error.message}`, {
          hint: error.hint,
          reason: error.reason,
          facts: error.facts,
          cause: error,
        });
      throw unavailable(`plugin ${this.name} failed to start: ${messageOf(error)}`, { cause: error });
    }
  }

  async #launch(version: Version, settings: PluginRecord['settings'], secrets: PluginRecord['secrets']): Promise<Generation> {
    const { startTimeout } = version.manifest;
    const timeoutMs = startTimeout === undefined ? this.#parts.policy.startMs : Math.min(durationMs(startTimeout), 120_000);
    const number = (this.#number += 1);
    const began = performance.now();
    // Built-in parts in this process take the time they take.
    const signal = this.record.placement === 'in-process' ? never : AbortSignal.timeout(timeoutMs);
    try {
      const link = await this.#parts.start(this, version, number, signal);
      return await Generation.over(link, { number, version, settings: withDefaults(version.manifest, settings), secrets, began });
    } catch (error) {
      if (signal.aborted)
        throw deadlineExceeded(`it was not ready within ${timeoutMs / 1e3} s`, {
          cause: error,
          hint: 'see what it printed: gantry plugin logs',
        });
      throw error;
    }
  }

  #serve(generation: Generation): void {
    const isFirst = this.#current === undefined && this.#restarts === 0 && generation.number === 1;
    this.#current = generation;
    this.#error = undefined;
    this.#degraded = [];
    this.#become('ready');
    this.#watchHealth(generation);
    this.#touch();
    if (!isFirst) this.#parts.onReady(this, generation);
    for (const wake of this.#waiters.splice(0)) wake();
    void generation.ended.then((ending) => this.#onEnded(generation, ending));
  }

  #onEnded(generation: Generation, { reason, isOom = false }: Ending): void {
    if (this.#current !== generation || this.#closed) return;
    this.#current = undefined;
    clearInterval(this.#health);
    this.output.say(`generation ${generation.number} ended: ${reason}`);
    this.#parts.onEvent(this, isOom ? 'oom' : 'crash', { reason });
    if (!this.#failProbation(reason)) this.#afterCrash(reason);
  }

  #failed(error: unknown): void {
    const reason = messageOf(error);
    const { hint, reason: kind } = GantryError.is(error) ? error : {};
    this.#error = { message: reason, hint };
    this.output.say(`start failed: ${reason}`);
    if (!this.record.enabled || this.#closed) this.#become('disabled');
    else if (kind === 'NO_COMMON_VERSION') {
      this.#error = { message: reason, hint: hint ?? `install another version: gantry plugin upgrade ${this.name}, or upgrade the engine` };
      this.#become('incompatible');
    } else if (kind === 'MISCONFIGURED') this.#become('misconfigured');
    else if (kind === 'WRONG_PROOF' || kind === 'MANIFEST_MISMATCH') this.#quarantine(reason);
    else if (this.record.placement === 'in-process') this.#become('failed');
    else this.#afterCrash(reason);
  }

  #afterCrash(reason: string): void {
    const { crashBudget, backOffMs } = this.#parts.policy;
    this.#error = { message: reason, hint: this.#error?.hint };
    this.#crashes = recent(this.#crashes, crashBudget.withinMs);
    this.#crashes.push(performance.now());
    if (this.#crashes.length >= crashBudget.count) {
      this.#quarantine(`it ended ${this.#crashes.length} times in a short while; the last: ${reason}`);
      return;
    }
    this.#become('backoff');
    this.#retryIn(Math.min(backOffMs[1], backOffMs[0] * 2 ** (this.#crashes.length - 1)));
  }

  #quarantine(reason: string): void {
    const { quarantineMs } = this.#parts.policy;
    this.#error = {
      message: reason,
      hint: `look at: gantry plugin logs ${this.name}; try it again with: gantry plugin enable ${this.name}`,
    };
    this.#become('quarantined');
    this.#parts.onEvent(this, 'quarantine', { reason });
    this.#retryIn(quarantineMs[Math.min(this.#quarantines, quarantineMs.length - 1)] ?? 60_000);
    this.#quarantines += 1;
  }

  #retryIn(ms: number): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      if (this.#closed || !this.record.enabled || this.#current !== undefined) return;
      this.#restarts += 1;
      this.start().catch(() => {});
    }, ms);
    this.#retry.unref();
  }

  #failProbation(reason: string): boolean {
    if (this.#probationUntil === 0 || performance.now() > this.#probationUntil || this.record.previous === undefined) return false;
    this.#probationUntil = 0;
    this.#parts.onProbationFailed(this, reason);
    return true;
  }

  #refuse(): void {
    const { name } = this;
    const because = this.#error === undefined ? '' : `: ${this.#error.message}`;
    if (!this.record.enabled)
      throw conflict(`plugin ${name} is disabled`, { hint: `gantry plugin enable ${name}`, reason: 'PLUGIN_DISABLED' });
    if (this.#state === 'quarantined' || this.#state === 'incompatible' || this.#state === 'misconfigured')
      throw conflict(`plugin ${name} is ${this.#state}${because}`, {
        hint: this.#error?.hint ?? `gantry plugin inspect ${name}`,
        reason: 'PLUGIN_UNUSABLE',
      });
  }

  /** Resolves at the next successful start, or fails with why the last one did not succeed. */
  async #nextStart(signal: AbortSignal | undefined): Promise<void> {
    const started = new Promise<void>((resolve) => this.#waiters.push(resolve));
    try {
      await within(started, this.#parts.policy.waitMs, signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw unavailable(`plugin ${this.name} is down${this.#error === undefined ? '' : `: ${this.#error.message}`}`, {
        cause: error,
        hint: `gantry plugin logs ${this.name}`,
      });
    }
  }

  #become(state: PluginState): void {
    if (this.#state === state) return;
    this.#state = state;
    if (state === 'ready') this.#parts.onEvent(this, 'ready');
    if (state !== 'backoff' && state !== 'starting') for (const wake of this.#waiters.splice(0)) wake();
  }

  #watchHealth(generation: Generation): void {
    clearInterval(this.#health);
    if (this.record.placement === 'in-process' || this.record.placement === 'external') return;
    const { healthMs, healthDeadlineMs } = this.#parts.policy;
    this.#health = setInterval(() => {
      generation.link.ping(AbortSignal.timeout(healthDeadlineMs)).catch(() => {
        if (this.#current === generation) void this.hang(`it gave no sign of life for ${healthDeadlineMs / 1e3} s`);
      });
    }, healthMs);
    this.#health.unref();
  }

  /** A plugin that nobody calls for the manifest's `idleStop` ends, until somebody does. */
  #touch(): void {
    const { idleStop } = this.record.manifest;
    clearTimeout(this.#idle);
    if (idleStop === undefined || this.#held > 0 || this.#closed) return;
    this.#idle = setTimeout(() => void this.stop(), durationMs(idleStop));
    this.#idle.unref();
  }
}

export interface Swap {
  readonly settings: PluginRecord['settings'];
  readonly secrets: PluginRecord['secrets'];
  readonly isExclusive: boolean;
  /** Throws what keeps the new generation from serving. */
  readonly prove: (next: Generation) => Promise<void>;
  /** Records the switch: after it, the new version is the one that the next engine starts. */
  readonly commit: () => Promise<void> | void;
}

const never = new AbortController().signal;

function recent(times: readonly number[], withinMs: number): number[] {
  const now = performance.now();
  return times.filter((time) => now - time < withinMs);
}

async function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal | undefined): Promise<T> {
  const timeout = Number.isFinite(ms) ? AbortSignal.timeout(ms) : undefined;
  const either = anySignal(timeout, signal);
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(either.reason);
  either.addEventListener('abort', stop, { once: true });
  try {
    either.throwIfAborted();
    return await Promise.race([promise, stopped.promise]);
  } finally {
    either.removeEventListener('abort', stop);
  }
}
