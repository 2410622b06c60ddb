import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, invalidArgument, type DriverKind, type DriverKinds, durationMs, messageOf, unavailable } from '@gantry/sdk';
import type { PluginInfo, Plugins } from '@gantry/sdk/engine';
import { driverContext, driverName, type Drivers, type Grants, guard, Load, methodsOf } from '../drivers/index.ts';
import { pluginState } from '../metadata/index.ts';
import { privilegesOf } from '../plugin-manifest/index.ts';
import { KeyedMutex } from '../support/index.ts';
import type { Changes } from './changes.ts';
import { Choice, type Skipped } from './choice.ts';
import { callByHand } from './call.ts';
import { Comparisons } from './comparisons.ts';
import { type HostOptions, type PluginHostOptions, withDefaultsOf } from './options.ts';
import { FormerGenerations } from './former-generations.ts';
import { grantsOf } from './grants.ts';
import { HandedSockets } from './handed-sockets.ts';
import { NativeCalls } from './native-calls.ts';
import { blameForCrash, sharesProcess } from './native-crashes.ts';
import { removeOrphan } from './orphan-removal.ts';
import { Plugin } from './plugin.ts';
import { rejectedInfo } from './info.ts';
import { defaultPolicy, type PluginPolicy } from './policy.ts';
import type { PluginRecord } from './record.ts';
import { Records } from './records.ts';
import { Registry } from './registry.ts';
import { checkEngine, startRequired } from './requirements.ts';
import { routed } from './routed.ts';
import { foldersOf, startLink } from './start.ts';
import { listed, usersOf } from './users.ts';

interface Guarded {
  /** One that was removed and installed anew is another, with the same name and generations. */
  readonly plugin: Plugin;
  readonly generation: number;
  readonly driver: object;
}

/** Finds plugins, starts each when first needed, hands out their drivers behind guards, changes them while containers run. */
export class PluginHost implements Drivers, Plugins, AsyncDisposable {
  readonly #options: HostOptions;
  readonly #policy: PluginPolicy;
  readonly #records: Records;
  readonly #registry: Registry;
  readonly #comparisons: Comparisons;
  readonly #former: FormerGenerations;
  readonly #native: NativeCalls;
  readonly #sockets: HandedSockets;
  #changes: Changes | undefined;
  readonly #loads = new Map<string, Load>();
  readonly #mutexes = new Map<string, KeyedMutex>();
  readonly #guarded = new Map<string, Guarded>();
  readonly #choice: Choice;

  constructor(given: PluginHostOptions) {
    const options = withDefaultsOf(given);
    this.#options = options;
    this.#policy = { ...defaultPolicy, ...options.pluginPolicy };
    this.#records = new Records(options);
    this.#registry = new Registry(pluginState(options.database, 'engine'));
    this.#sockets = new HandedSockets(this.#registry);
    this.#choice = new Choice({
      candidates: (kind) => this.#candidates(kind),
      whyNot: (kind, name) => this.#whyNot(kind, name),
      log: options.log,
    });
    this.#former = new FormerGenerations(options);
    this.#native = new NativeCalls(join(options.execRoot, 'p', 'native-call'));
    this.#comparisons = new Comparisons({
      options,
      registry: this.#registry,
      policy: this.#policy,
      remove: (ref, { signal }) => removeOrphan(this, ref, { log: options.log, signal }),
    });
    for (const record of this.#records.load()) this.#registry.add(this.#make(record));
    this.#blame();
    for (const { dir, reason } of this.#records.rejected) options.log.warn({ dir, reason }, 'plugin left out');
  }

  /** Removes code that no record names: what an engine that died was installing. Only before the first call. */
  collect(): Promise<void> {
    return this.#records.sweepCode();
  }

  /** Starts what asks to be started with the engine, in the background. */
  start(): void {
    for (const plugin of this.#registry.all()) {
      if (plugin.record.enabled && plugin.record.manifest.activation === 'onStart') plugin.start().catch(() => {});
    }
  }

  async get<Kind extends DriverKind>(kind: Kind, wanted: string): Promise<DriverKinds[Kind]> {
    const name = driverName(wanted);
    const plugin = this.#registry.provider(kind, name) ?? (await this.#finder(kind, name));
    const generation = await plugin.serving();
    const key = `${plugin.name} ${kind}/${name}`;
    const known = this.#guarded.get(key);
    if (known?.plugin === plugin && known.generation === generation.number) return known.driver as DriverKinds[Kind];
    const naive = await generation.driver(kind, name);
    if (naive === undefined) throw this.#registry.unknown(kind, name);
    const driver = this.#guard(plugin, kind, name, naive);
    this.#guarded.set(key, { plugin, generation: generation.number, driver });
    return driver as DriverKinds[Kind];
  }

  has(kind: DriverKind, name: string): boolean {
    return this.#registry.provider(kind, driverName(name)) !== undefined;
  }

  names(kind: DriverKind): readonly string[] {
    return this.#registry.names(kind);
  }

  grants(kind: DriverKind, wanted: string): Grants {
    const name = driverName(wanted);
    const plugin = this.#registry.provider(kind, name) ?? this.#registry.open(kind)[0];
    if (plugin === undefined) throw this.#registry.unknown(kind, name);
    return {
      ...grantsOf(plugin, kind, foldersOf(this.#options, plugin.record).dataDir),
      onMissing: (objectKind, id, detail) => {
        const ref = { contract: kind, driver: name, kind: objectKind, id };
        if (detail === undefined) this.#comparisons.of(plugin).seen(ref);
        else this.#comparisons.of(plugin).lost(ref, detail);
      },
    };
  }

  /** The driver with the highest priority, tried or not; for kinds that need nothing of the host. */
  first(kind: DriverKind): string {
    const [name] = this.#registry.byPriority(kind);
    if (name === undefined) throw unavailable(`no ${kind} driver is installed`);
    return name;
  }

  /** A user said which driver of the kind is the default. */
  isChosen(kind: DriverKind): boolean {
    return this.#registry.chosen(kind) !== undefined;
  }

  preferred(kind: DriverKind): Promise<string> {
    return this.#choice.preferred(kind);
  }

  /** The name of a driver that a user wants, once it is known to work here; `unavailable` says why it does not. */
  usable(kind: DriverKind, name: string): Promise<string> {
    return this.has(kind, name) ? this.#choice.usable(kind, name) : Promise.reject(this.#registry.unknown(kind, name));
  }

  /** Drivers that would have come before the preferred one, and why they did not. */
  skipped(kind: DriverKind): readonly Skipped[] {
    return this.#choice.skipped(kind);
  }

  list(): readonly PluginInfo[] {
    const known = this.#registry.all().map((plugin) => this.#info(plugin));
    return [...known.toSorted((a, b) => (a.name < b.name ? -1 : 1)), ...this.#records.rejected.map(rejectedInfo)];
  }

  inspect(name: string): PluginInfo {
    return this.#info(this.#registry.find(name));
  }

  users(name: string) {
    const plugin = this.#registry.find(name);
    return usersOf(this.#options.database, this.#registry.served(plugin), plugin.record);
  }

  async collectOrphans(name: string, options: Parameters<Plugins['collectOrphans']>[1] = {}): ReturnType<Plugins['collectOrphans']> {
    return this.#comparisons.collect(this.#registry.find(name), options);
  }

  async collectOrphansAlways(name: string, always: boolean): Promise<void> {
    this.#decide(this.#registry.find(name), { collectsOrphans: always });
  }

  logs(name: string, options: Parameters<Plugins['logs']>[1] = {}) {
    return this.#registry.find(name).output.read(options);
  }

  async bind(kind: DriverKind, driver: string, name: string): Promise<void> {
    this.#registry.bind(kind, driverName(driver), this.#registry.find(name));
    this.#choice.forget();
  }

  async prefer(kind: DriverKind, name: string): Promise<void> {
    if (kind !== 'graph')
      throw invalidArgument(`the default ${kind} driver is chosen when the engine starts`, {
        hint: 'see gantryd --help; without a restart only the default graph driver changes',
      });
    if (!this.has(kind, name)) throw this.#registry.unknown(kind, name);
    const reason = await this.#whyNot(kind, name);
    if (reason !== undefined) throw unavailable(`${kind} driver ${name} does not work here: ${reason}`);
    this.#registry.choose(kind, name);
    this.#choice.forget();
  }

  async call({ kind, driver, method, request, dryRun }: Parameters<Plugins['call']>[0]): Promise<unknown> {
    const target = await this.get(kind, driver);
    return callByHand(target, { kind, driver, method, request, dryRun, ctx: driverContext(this.#options.log) });
  }

  async offer(...given: Parameters<Plugins['offer']>) {
    return (await this.#change()).offer(...given);
  }
  async install(...given: Parameters<Plugins['install']>): Promise<PluginInfo> {
    return this.#info(await (await this.#change()).install(...given));
  }
  async create(...given: Parameters<Plugins['create']>): Promise<PluginInfo> {
    return this.#info(await (await this.#change()).create(...given));
  }
  async pack(...given: Parameters<Plugins['pack']>) {
    return (await this.#change()).pack(...given);
  }
  async push(...given: Parameters<Plugins['push']>) {
    return (await this.#change()).push(...given);
  }
  async attach(...given: Parameters<Plugins['attach']>): Promise<PluginInfo> {
    return this.#info(await (await this.#change()).attach(...given));
  }
  async upgrade(...given: Parameters<Plugins['upgrade']>): Promise<PluginInfo> {
    return this.#info(await (await this.#change()).upgrade(...given));
  }
  async rollback(name: string): Promise<PluginInfo> {
    return this.#info(await (await this.#change()).rollback(this.#registry.find(name)));
  }
  async set(name: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
    await (await this.#change()).set(this.#registry.find(name), settings);
  }

  async enable(name: string, { timeoutMs, signal }: Parameters<Plugins['enable']>[1] = {}): Promise<void> {
    const plugin = this.#registry.find(name);
    this.#decide(plugin, { enabled: true });
    plugin.allow();
    this.#publish(plugin, 'enable');
    const timeout = timeoutMs === undefined || timeoutMs === 0 ? undefined : AbortSignal.timeout(timeoutMs);
    await plugin.serving(AbortSignal.any([timeout, signal].filter((each) => each !== undefined)));
  }

  async disable(name: string, { force = false }: Parameters<Plugins['disable']>[1] = {}): Promise<void> {
    const plugin = this.#registry.find(name);
    const hard = this.users(name).filter((user) => user.hard);
    if (hard.length > 0 && !force) {
      throw conflict(`plugin ${plugin.name} is in use by ${listed(hard)}`, {
        reason: 'PLUGIN_IN_USE',
        facts: { users: hard },
        hint: 'stop these first, or disable it with force',
      });
    }
    this.#decide(plugin, { enabled: false });
    this.#choice.forget();
    await plugin.stop('disabled');
    this.#publish(plugin, 'disable');
  }

  async remove(name: string, { force = false }: Parameters<Plugins['remove']>[1] = {}): Promise<void> {
    const plugin = this.#registry.find(name);
    const users = this.users(name);
    if (users.length > 0 && !force) {
      throw conflict(`plugin ${plugin.name} has ${listed(users)}`, {
        reason: 'PLUGIN_IN_USE',
        facts: { users },
        hint: 'remove these first, or force: they stay and work again after a new install',
      });
    }
    await (await this.#change()).remove(plugin, { keepData: users.length > 0 });
    this.#loads.delete(plugin.name);
    this.#choice.forget();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#comparisons[Symbol.dispose]();
    const outside = this.#registry.all().filter(({ record }) => record.placement !== 'in-process');
    await Promise.all(outside.map((plugin) => plugin.close()));
    for (const plugin of this.#registry.all().toReversed()) if (!outside.includes(plugin)) await plugin.close();
    this.#native[Symbol.dispose]();
  }

  /** What installing needs is loaded with the first change: most engines make none. */
  async #change(): Promise<Changes> {
    const { Changes } = await import('./changes.ts');
    this.#changes ??= new Changes({
      options: this.#options,
      records: this.#records,
      registry: this.#registry,
      make: (record) => this.#make(record),
      onEvent: (plugin, action) => this.#publish(plugin, action),
    });
    return this.#changes;
  }

  #make(record: PluginRecord): Plugin {
    return new Plugin(record, {
      policy: this.#policy,
      start: async (plugin, version, number, signal) => {
        checkEngine(version.manifest, this.#options.version);
        await this.#former.ended(plugin);
        await startRequired(plugin, (name) => this.#registry.all().find((other) => other.name === name));
        mkdirSync(foldersOf(this.#options, plugin.record).dataDir, { recursive: true, mode: 0o700 });
        return startLink({ options: this.#options, sockets: this.#sockets }, plugin, version, number, signal);
      },
      onEvent: (plugin, action, attributes) => this.#publish(plugin, action, attributes),
      onCall: (plugin, call) => (sharesProcess(plugin) ? this.#native.begin({ plugin: plugin.name, call }) : undefined),
      onReady: (plugin, generation) => {
        this.#loads.get(plugin.name)?.forget();
        void this.#comparisons.onReady(plugin, generation);
      },
      onProbationPassed: (plugin) => this.#decide(plugin, { isOnProbation: false }),
      // Only a change begins a probation.
      onProbationFailed: (plugin, reason) => void this.#changes?.rollBack(plugin, reason),
    });
  }

  #guard(plugin: Plugin, kind: DriverKind, name: string, naive: object): object {
    const { manifest, placement } = plugin.record;
    const methods = methodsOf[kind];
    const isOurs = placement === 'in-process';
    const label = isOurs || plugin.name === name ? `${kind} driver ${name}` : `${kind} driver ${name} of plugin ${plugin.name}`;
    // A built-in part in this process is as dependable as the engine: it has no bulkhead that could be full.
    const load = once(
      this.#loads,
      plugin.name,
      () =>
        new Load(
          `plugin ${plugin.name}`,
          isOurs
            ? { concurrency: 1_000, queue: 10_000, breaker: 1_000 }
            : {
                concurrency: manifest.concurrency ?? 16,
                breaker: this.#policy.breaker.count,
                openMs: this.#policy.breaker.openMs,
                onBreaker: (reason) => plugin.complain('breaker', reason === undefined ? [] : [reason]),
              },
        ),
    );
    const mutex = once(this.#mutexes, `${kind}/${name}`, () => new KeyedMutex());
    const target = Object.keys(methods).length === 0 ? naive : routed(plugin, kind, name, naive, methods);
    return guard(target, methods, {
      label,
      load,
      mutex,
      timeouts: timeoutsOf(plugin.record, kind),
      onInvalid: (reason) => plugin.strike(reason),
    });
  }

  /** A plugin that leaves names of the kind open and has this one. */
  async #finder(kind: DriverKind, name: string): Promise<Plugin> {
    const known: string[] = [];
    for (const plugin of this.#registry.open(kind)) {
      try {
        const generation = await plugin.serving();
        if ((await generation.driver(kind, name)) !== undefined) return plugin;
        known.push(...(await generation.link.names(kind)));
      } catch (error) {
        this.#options.log.warn({ plugin: plugin.name, error: messageOf(error) }, 'could not be asked for a driver');
      }
    }
    throw this.#registry.unknown(kind, name, known);
  }

  #candidates(kind: DriverKind): ReadonlySet<string> {
    const chosen = this.#registry.chosen(kind);
    return new Set([...(chosen === undefined ? [] : [chosen]), ...this.#registry.byPriority(kind)]);
  }

  async #whyNot(kind: DriverKind, name: string): Promise<string | undefined> {
    try {
      const driver = await this.get(kind, name);
      if (!('probe' in driver) || typeof driver.probe !== 'function') return undefined;
      const { usable, reason = 'cannot work here' } = await driver.probe({}, driverContext(this.#options.log));
      return usable ? undefined : reason;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** What the last engine died of is not tried in the same way for ever. */
  #blame(): void {
    const { database, log } = this.#options;
    const counts = pluginState(database, 'engine');
    const demoted = blameForCrash(this.#native.last, { plugins: this.#registry.all(), counts, log });
    // What it has in its data folder it made as the engine's user: as another it could not use it. In its sandbox it still may less than before.
    if (demoted !== undefined) this.#decide(demoted.plugin, { placement: 'process', placementReason: demoted.reason, uid: 0 });
  }

  #decide(plugin: Plugin, change: Partial<PluginRecord>): void {
    plugin.record = { ...plugin.record, ...change };
    this.#records.put(plugin.record);
  }

  #info(plugin: Plugin): PluginInfo {
    const objects = this.#comparisons.of(plugin).info();
    return { ...plugin.info(), ...objects, shadowed: this.#registry.shadowed(plugin), privileges: privilegesOf(plugin.record.manifest) };
  }

  #publish(plugin: Plugin, action: string, attributes: Readonly<Record<string, string>> = {}): void {
    this.#options.events.publish('plugin', action, plugin.record.id, { name: plugin.name, ...attributes });
    if (action === 'crash' || action === 'quarantine' || action === 'hang')
      this.#options.log.warn({ plugin: plugin.name, ...attributes }, `plugin ${action}`);
  }
}

function once<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

/** "volume.attach": "60s", within ten times what the method's class has. */
function timeoutsOf({ manifest: { timeouts = {} } }: PluginRecord, kind: DriverKind): Readonly<Record<string, number>> {
  const mine = Object.entries(timeouts).filter(([key]) => key.startsWith(`${kind}.`));
  return Object.fromEntries(mine.map(([key, text]) => [key.slice(kind.length + 1), Math.min(durationMs(text), 3_600_000)]));
}
