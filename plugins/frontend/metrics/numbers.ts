import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Engine } from '@gantry/sdk/engine';
import { actionText } from './actions.ts';

const perPlugin = ['plugin', 'version', 'placement'] as const;

/** The engine's numbers in Prometheus' text format, taken at each question. */
export class Numbers implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #registry = new Registry();
  readonly #stop = new AbortController();
  readonly #counted: Promise<void>;

  constructor(engine: Engine) {
    this.#engine = engine;
    collectDefaultMetrics({ register: this.#registry });
    const events = new Counter({
      name: 'engine_daemon_events_total',
      help: 'The number of events logged',
      registers: [this.#registry],
    });
    const checks = new Counter({
      name: 'engine_daemon_health_checks_total',
      help: 'The total number of health checks',
      registers: [this.#registry],
    });
    const failedChecks = new Counter({
      name: 'engine_daemon_health_checks_failed_total',
      help: 'The total number of failed health checks',
      registers: [this.#registry],
    });
    this.#counted = this.#count((action) => {
      events.inc();
      if (action.startsWith('health_status')) checks.inc();
      if (action === 'health_status: unhealthy') failedChecks.inc();
    });
    this.#gauges();
    this.#pluginGauges();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    return `${await this.#registry.metrics()}\n${actionText(this.#engine.system.actions())}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#counted;
    this.#registry.clear();
  }

  async #count(tell: (action: string) => void): Promise<void> {
    try {
      for await (const { action } of this.#engine.events.subscribe({ signal: this.#stop.signal })) tell(action);
    } catch {
      // Fallen behind, or the engine ends: what was counted stays.
    }
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    collect: (gauge: Gauge<Label>) => Promise<void> | void,
  ): void {
    const gauge: Gauge<Label> = new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [],
      collect() {
        gauge.reset();
        return collect(gauge);
      },
    });
    this.#registry.registerMetric(gauge);
  }

  #gauges(): void {
    const { system, containers } = this.#engine;
    this.#gauge(
      'engine_daemon_engine_info',
      'The information related to the engine and the OS it is running on',
      ['version', 'commit', 'architecture', 'graphdriver', 'kernel', 'os', 'os_type', 'os_version', 'daemon_id'],
      async (gauge) => {
        const info = await system.info();
        const { version, architecture, graphDriver: graphdriver, kernelVersion: kernel, operatingSystem: os, osVersion, id } = info;
        gauge.set(
          { version, commit: '', architecture, graphdriver, kernel, os, os_type: 'linux', os_version: osVersion, daemon_id: id },
          1,
        );
      },
    );
    this.#gauge('engine_daemon_engine_cpus_cpus', 'The number of cpus that the host system of the engine has', [], async (gauge) =>
      gauge.set((await system.info()).cpus),
    );
    this.#gauge(
      'engine_daemon_engine_memory_bytes',
      'The number of bytes of memory that the host system of the engine has',
      [],
      async (gauge) => gauge.set((await system.info()).memoryBytes),
    );
    this.#gauge('engine_daemon_events_subscribers_total', 'The number of current subscribers to events', [], async (gauge) =>
      gauge.set((await system.info()).eventListeners),
    );
    this.#gauge('engine_daemon_container_states_containers', 'The count of containers in various states', ['state'], (gauge) => {
      const states = containers.list({ all: true }).map(({ state: { status } }) => status);
      const running = states.filter((status) => status === 'running').length;
      const paused = states.filter((status) => status === 'paused').length;
      gauge.set({ state: 'running' }, running);
      gauge.set({ state: 'paused' }, paused);
      gauge.set({ state: 'stopped' }, states.length - running - paused);
    });
  }

  #pluginGauges(): void {
    const { plugins } = this.#engine;
    const each = () =>
      plugins.list().map((plugin) => ({ plugin, labels: { plugin: plugin.name, version: plugin.version, placement: plugin.placement } }));
    this.#gauge('gantry_plugin_state', 'How a plugin fares: 1 for the state it is in', [...perPlugin, 'state'], (gauge) => {
      for (const { plugin, labels } of each()) gauge.set({ ...labels, state: plugin.state }, 1);
    });
    this.#gauge('gantry_plugin_restarts', 'How often a plugin was started again after it had ended by itself', perPlugin, (gauge) => {
      for (const { plugin, labels } of each()) gauge.set(labels, plugin.restarts);
    });
    this.#gauge('gantry_plugin_start_seconds', 'How long the running generation of a plugin took to start', perPlugin, (gauge) => {
      for (const { plugin, labels } of each()) if (plugin.startedInMs !== undefined) gauge.set(labels, plugin.startedInMs / 1e3);
    });
    this.#gauge('gantry_plugin_orphans', 'How many objects a plugin has that the engine does not know', perPlugin, (gauge) => {
      for (const { plugin, labels } of each()) gauge.set(labels, plugin.orphans?.length ?? 0);
    });
  }
}
