import type { Health, HealthResult, Healthcheck } from '@gantry/sdk/engine';

export interface ProbeResult {
  readonly exitCode: number;
  readonly output: string;
}
export interface HealthMonitorOptions {
  readonly healthcheck: Healthcheck;
  /** Runs the test in the container; rejects when the signal fires. */
  readonly probe: (options: { readonly signal: AbortSignal }) => Promise<ProbeResult>;
  /** Called after every probe, with the state before it. */
  readonly onChange: (health: Health, previous: Health['status']) => void;
  readonly now?: () => Date;
}

const defaults = { intervalMs: 30_000, timeoutMs: 30_000, startIntervalMs: 5_000, retries: 3 };
const keptResults = 5;
const outputBytes = 4_096;
const nanosecondsPerMs = 1e6;

/** The command that a healthcheck runs: undefined when there is none or it is switched off. */
export function healthCommand({ Test = [] }: Healthcheck, shell: readonly string[]): readonly string[] | undefined {
  const [kind, ...rest] = Test;
  if (kind === 'CMD' && rest.length > 0) return rest;
  if (kind === 'CMD-SHELL' && rest.length > 0) return [...shell, rest.join(' ')];
  return undefined;
}

/**
 * Probes one running container, first after one interval, then an interval after each probe ended. Failures in the start period do not
 * count; `retries` failures in a row make it unhealthy, one success healthy. Dispose stops it and the probe under way.
 */
export class HealthMonitor implements Disposable {
  readonly #options: HealthMonitorOptions;
  readonly #stop = new AbortController();
  readonly #startedAt = performance.now();
  #health: Health = { status: 'starting', failingStreak: 0, log: [] };
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
    this.#schedule();
  }

  get health(): Health {
    return this.#health;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  #schedule(): void {
    const { Interval = 0, StartInterval = 0 } = this.#options.healthcheck;
    const waitMs = this.#isStarting() ? (toMs(StartInterval) ?? defaults.startIntervalMs) : (toMs(Interval) ?? defaults.intervalMs);
    this.#timer = setTimeout(() => void this.#probe(), waitMs);
    this.#timer.unref();
  }

  /** Within the start period, before the first success. */
  #isStarting(): boolean {
    const periodMs = toMs(this.#options.healthcheck.StartPeriod ?? 0) ?? 0;
    return this.#health.status === 'starting' && performance.now() - this.#startedAt < periodMs;
  }

  async #probe(): Promise<void> {
    const now = this.#options.now ?? (() => new Date());
    const start = now().toISOString();
    const { exitCode, output } = await this.#run();
    if (this.#stop.signal.aborted) return;
    this.#record({ start, end: now().toISOString(), exitCode, output: shorten(output) });
    this.#schedule();
  }

  async #run(): Promise<ProbeResult> {
    const timeoutMs = toMs(this.#options.healthcheck.Timeout ?? 0) ?? defaults.timeoutMs;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      return await this.#options.probe({ signal: AbortSignal.any([timeout, this.#stop.signal]) });
    } catch (error) {
      if (timeout.aborted) return { exitCode: -1, output: `Health check exceeded timeout (${timeoutMs / 1e3}s)` };
      return { exitCode: -1, output: error instanceof Error ? error.message : String(error) };
    }
  }

  #record(result: HealthResult): void {
    const previous = this.#health;
    const log = [...previous.log, result].slice(-keptResults);
    const retries = this.#options.healthcheck.Retries || defaults.retries;
    if (result.exitCode === 0) this.#health = { status: 'healthy', failingStreak: 0, log };
    else if (this.#isStarting()) this.#health = { ...previous, log };
    else {
      const failingStreak = previous.failingStreak + 1;
      this.#health = { status: failingStreak >= retries ? 'unhealthy' : previous.status, failingStreak, log };
    }
    this.#options.onChange(this.#health, previous.status);
  }
}

function toMs(nanoseconds: number): number | undefined {
  return nanoseconds === 0 ? undefined : nanoseconds / nanosecondsPerMs;
}

function shorten(output: string): string {
  return output.length > outputBytes ? `${output.slice(0, outputBytes)}...` : output;
}
