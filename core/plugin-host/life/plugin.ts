import { aborted, GantryError, messageOf, type Report, unavailable } from '@gantry/sdk';
import type { PluginInfo, PluginState } from '@gantry/sdk/engine';
import { tellProgress } from '../../drivers/index.ts';
import { BackEnd } from './back-end.ts';
import { Discretion } from '../served/discretion.ts';
import type { Generation } from './generation.ts';
import { watchHealth } from './health.ts';
import { IdleStop } from './idle-stop.ts';
import { infoOf } from './info.ts';
import { failedToStart, launch } from './launch.ts';
import type { Ending } from '../placements/link.ts';
import { watchMemory } from '../placements/memory.ts';
import { Output } from '../placements/output.ts';
import { Parking } from './parking.ts';
import type { PluginParts, Swap } from './plugin-parts.ts';
import { Probation } from './probation.ts';
import type { PluginRecord, Version } from '../record.ts';
import { Retry } from './retry.ts';
import { watchSelfTest } from './self-testing.ts';
import { Status } from './status.ts';
import { Supervision, type Verdict } from './supervision.ts';
import { within } from './within.ts';

/** One installed plugin: what the user wants of it, how it fares, and the generation that serves. */
export class Plugin {
  record: PluginRecord;
  readonly discretion = new Discretion();
  readonly output = new Output((line) => this.discretion.text(line));
  readonly #parts: PluginParts;
  readonly #status: Status;
  readonly #supervision: Supervision;
  readonly #probation = new Probation();
  readonly #retry = new Retry();
  readonly #idle: IdleStop;
  readonly #parking = new Parking();
  readonly backEnd = new BackEnd((reasons) => this.#status.complain('back end', reasons));
  #watches: Disposable | undefined;
  #current: Generation | undefined;
  #starting: Promise<Generation> | undefined;
  #number = 0;
  #restarts = 0;
  #closed = false;

  constructor(record: PluginRecord, parts: PluginParts) {
    this.record = record;
    this.discretion.know([...Object.values(record.secrets), record.token ?? '']);
    this.#parts = parts;
    this.#supervision = new Supervision(record, parts.policy);
    this.#status = new Status(record.enabled ? 'discovered' : 'disabled', (...event) => parts.onEvent(this, ...event));
    this.#idle = new IdleStop(
      () => this.record.manifest.idleStop,
      () => void this.stop(),
    );
  }

  get name(): string {
    return this.record.name;
  }

  get state(): PluginState {
    return this.#status.state;
  }

  get current(): Generation | undefined {
    return this.#current;
  }

  info(): Omit<PluginInfo, 'shadowed' | 'privileges'> {
    const { record, output } = this;
    return infoOf({ record, output, status: this.#status, generation: this.#current, number: this.#number, restarts: this.#restarts });
  }

  /**
   * The generation that serves, started when there is none. While one is being started or switched, waits up to the policy's time; a plugin
   * that will not come by itself is refused at once, with what to do.
   */
  async serving(signal?: AbortSignal): Promise<Generation> {
    const change = this.#parking.over(this.#parts.policy.waitMs, signal);
    if (change !== undefined) await change;
    if (this.#current !== undefined) {
      this.#idle.touch();
      return this.#current;
    }
    this.#status.refuse(this.record);
    if (this.#status.state === 'backoff' && this.record.placement !== 'in-process') await this.#nextStart(signal);
    return this.#current ?? this.start(signal);
  }

  /** Calls wait until the answer is disposed of: what serves next is being changed. */
  park(): Disposable {
    return this.#parking.park();
  }

  /** While it is held, an idle plugin is not stopped. */
  hold(): Disposable {
    return this.#idle.hold();
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
    this.#retry.forget();
    this.#supervision.forgive();
    if (this.#current === undefined) this.#status.become('discovered');
  }

  /** Ends the running generation, gently. `to` is the state afterwards. */
  async stop(to: PluginState = 'discovered'): Promise<void> {
    this.#retry.forget();
    this.#watches?.[Symbol.dispose]();
    const generation = this.#current;
    await this.settled();
    const running = generation ?? this.#current;
    this.#current = undefined;
    this.#status.become(running === undefined ? to : 'stopping');
    await running?.link.stop();
    this.#status.become(to);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#probation.end();
    this.#idle.close();
    await this.stop();
  }

  /** Puts a proven generation in the place of the one that serves; calls meanwhile wait. `prove` runs while they do, just before the switch. */
  async swap(version: Version, { settings, secrets, isExclusive, ...steps }: Swap): Promise<void> {
    let last: Generation | undefined;
    using parked = new DisposableStack();
    if (isExclusive) {
      parked.use(this.park());
      const old = this.#current;
      this.#current = undefined;
      await old?.link.stop();
    }
    try {
      steps.prepare?.();
      const next = await this.#launch(version, settings, secrets);
      try {
        await steps.prove(next);
        if (!isExclusive) parked.use(this.park());
        await steps.commit();
      } catch (error) {
        await next.link.kill('the switch was given up');
        throw error;
      }
      // What serves by now: it may be another one than at the beginning.
      if (!isExclusive) last = this.#current;
      this.#serve(next);
    } catch (error) {
      if (isExclusive) {
        steps.giveUp?.();
        await this.start().catch(() => {});
      }
      throw error;
    }
    void last?.link.stop();
  }

  /** The plugin answered something that its contract or its grant forbids. */
  strike(given: string): void {
    const reason = this.discretion.text(given);
    this.output.say(`strike: ${reason}`);
    if (this.#failProbation(reason)) return;
    const verdict = this.#supervision.struck(reason);
    if (verdict === undefined) return;
    const generation = this.#current;
    this.#current = undefined;
    this.#accept(verdict);
    void generation?.link.kill('quarantined');
  }

  /** It does not answer: ended by force, and started again as after a crash. */
  async hang(reason: string): Promise<void> {
    this.#parts.onEvent(this, 'hang', { reason });
    await this.#current?.link.kill(reason);
  }

  /** A call to one of its drivers begins, and ends when the answer is disposed of. */
  calling(call: string): Disposable | undefined {
    return this.#parts.onCall(this, call);
  }

  /** Why it works badly, says who; none: no more. */
  complain(...given: Parameters<Status['complain']>): void {
    this.#status.complain(...given);
  }

  readonly onReport = async ({ degraded, operationId, progress }: Report): Promise<void> => {
    if (operationId !== undefined && progress !== undefined) tellProgress(operationId);
    if (degraded !== undefined)
      this.#status.complain(
        'report',
        degraded.map((reason) => this.discretion.text(reason)),
      );
  };

  async #startOnce(): Promise<Generation> {
    this.#status.become('starting');
    try {
      const generation = await this.#launch(this.record, this.record.settings, this.record.secrets);
      if (this.#closed || !this.record.enabled) {
        await generation.link.stop();
        throw aborted(`plugin ${this.name} was stopped while it started`);
      }
      this.#serve(generation);
      return generation;
    } catch (error) {
      this.#onFailedStart(error);
      throw failedToStart(this.name, error);
    }
  }

  async #launch(version: Version, settings: PluginRecord['settings'], secrets: PluginRecord['secrets']): Promise<Generation> {
    this.discretion.know(Object.values(secrets));
    const number = (this.#number += 1);
    const { placement } = this.record;
    const { policy } = this.#parts;
    using _noted = this.calling(`the start of plugin ${this.name}`);
    try {
      return await launch({ version, settings, secrets, number, placement, policy }, (signal) =>
        this.#parts.start(this, version, number, signal),
      );
    } catch (error) {
      throw this.discretion.error(error);
    }
  }

  #serve(generation: Generation): void {
    this.#current = generation;
    this.backEnd.forget();
    this.#status.serves();
    this.#watch(generation);
    if (this.record.isOnProbation === true)
      this.#probation.begin(this.#parts.policy.probationMs, () => this.#parts.onProbationPassed(this));
    this.#idle.touch();
    this.#parts.onReady(this, generation);
    void generation.ended.then((ending) => this.#onEnded(generation, ending));
  }

  #watch({ link }: Generation): void {
    this.#watches?.[Symbol.dispose]();
    const watches = new DisposableStack();
    const given = { placement: this.record.placement, policy: this.#parts.policy };
    const isServing = (): boolean => this.#current?.link === link;
    watches.use(watchHealth(link, given, (reason) => void (isServing() && this.hang(reason))));
    watches.use(watchSelfTest(link, given, (reasons) => isServing() && this.#status.complain('self-test', reasons)));
    const { manifest } = this.record;
    watches.use(watchMemory(link, { ...given, manifest }, (reason) => isServing() && this.#parts.onFull(this, reason)));
    this.#watches = watches;
  }

  #onEnded(generation: Generation, { reason, isOom = false }: Ending): void {
    if (this.#current !== generation || this.#closed) return;
    this.#current = undefined;
    this.#watches?.[Symbol.dispose]();
    this.output.say(`generation ${generation.number} ended: ${reason}`);
    this.#parts.onEvent(this, isOom ? 'oom' : 'crash', { reason });
    if (!this.#failProbation(reason)) this.#accept(this.#supervision.crashed(reason));
  }

  #onFailedStart(error: unknown): void {
    const message = messageOf(error);
    this.output.say(`start failed: ${message}`);
    if (this.record.enabled && !this.#closed) this.#accept(this.#supervision.failedToStart(error));
    else this.#status.become('disabled', { message, hint: GantryError.is(error) ? error.hint : undefined });
  }

  #accept({ state, message, hint, retryMs }: Verdict): void {
    this.#status.become(state, { message, hint });
    if (state === 'quarantined') this.#parts.onEvent(this, 'quarantine', { reason: message });
    if (retryMs !== undefined) this.#retry.in(retryMs, () => this.#startAgain());
  }

  #startAgain(): void {
    if (this.#closed || !this.record.enabled || this.#current !== undefined) return;
    this.#restarts += 1;
    this.start().catch(() => {});
  }

  #failProbation(reason: string): boolean {
    if (this.record.previous === undefined || !this.#probation.fail()) return false;
    this.#parts.onProbationFailed(this, reason);
    return true;
  }

  /** Resolves at the next successful start, or fails with why the last one did not succeed. */
  async #nextStart(signal: AbortSignal | undefined): Promise<void> {
    try {
      await within(this.#status.changed(), this.#parts.policy.waitMs, signal);
    } catch (error) {
      signal?.throwIfAborted();
      const hint = `gantry plugin logs ${this.name}`;
      throw unavailable(`plugin ${this.name} is down${this.#status.because}`, { cause: error, hint });
    }
  }
}
