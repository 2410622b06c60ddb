import { join } from 'node:path';
import { conflict, type DriverKind, type DriverKinds } from '@gantry/sdk';
import type { PluginInfo, Plugins } from '@gantry/sdk/engine';
import { driverContext, driverName, type Drivers, type Grants } from '../drivers/index.ts';
import { pluginState } from '../metadata/index.ts';
import { privilegesOf } from '../plugin-manifest/index.ts';
import type { Changes } from './changes/changes.ts';
import type { Skipped } from './served/choice.ts';
import { callByHand } from './served/call.ts';
import { Comparisons } from './comparison/comparisons.ts';
import { type HostOptions, type PluginHostOptions, withDefaultsOf } from './options.ts';
import { FormerGenerations } from './placements/former-generations.ts';
import { Guards } from './served/guards.ts';
import { HandedSockets } from './placements/handed-sockets.ts';
import { NativeCalls } from './placements/native-calls.ts';
import { blameForCrash } from './placements/native-crashes.ts';
import { removeOrphan } from './comparison/orphan-removal.ts';
import { makePlugin } from './life/make-plugin.ts';
import type { Plugin } from './life/plugin.ts';
import { rejectedInfo } from './life/info.ts';
import { defaultPolicy, type PluginPolicy } from './life/policy.ts';
import type { PluginRecord } from './record.ts';
import { Records } from './records.ts';
import { Registry } from './registry.ts';
import { ServedDrivers } from './served/served-drivers.ts';
import { listed, usersOf } from './users.ts';

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
  readonly #guards: Guards;
  readonly #drivers: ServedDrivers;

  constructor(given: PluginHostOptions) {
    const options = withDefaultsOf(given);
    this.#options = options;
    this.#policy = { ...defaultPolicy, ...options.pluginPolicy };
    this.#records = new Records(options);
    this.#registry = new Registry(pluginState(options.database, 'engine'));
    this.#sockets = new HandedSockets(this.#registry);
    this.#former = new FormerGenerations(options);
    this.#native = new NativeCalls(join(options.execRoot, 'p', 'native-call'));
    this.#comparisons = new Comparisons({
      options,
      registry: this.#registry,
      policy: this.#policy,
      remove: (ref, { signal }) => removeOrphan(this, ref, { log: options.log, signal }),
    });
    this.#guards = new Guards(this.#policy);
    this.#drivers = new ServedDrivers({ options, registry: this.#registry, guards: this.#guards, comparisons: this.#comparisons });
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

  get<Kind extends DriverKind>(kind: Kind, name: string): Promise<DriverKinds[Kind]> {
    return this.#drivers.get(kind, name);
  }
  has(kind: DriverKind, name: string): boolean {
    return this.#drivers.has(kind, name);
  }
  names(kind: DriverKind): readonly string[] {
    return this.#drivers.names(kind);
  }
  grants(kind: DriverKind, name: string): Grants {
    return this.#drivers.grants(kind, name);
  }
  first(kind: DriverKind): string {
    return this.#drivers.first(kind);
  }
  preferred(kind: DriverKind): Promise<string> {
    return this.#drivers.preferred(kind);
  }
  usable(kind: DriverKind, name: string): Promise<string> {
    return this.#drivers.usable(kind, name);
  }
  skipped(kind: DriverKind): readonly Skipped[] {
    return this.#drivers.skipped(kind);
  }
  /** A user said which driver of the kind is the default. */
  isChosen(kind: DriverKind): boolean {
    return this.#registry.chosen(kind) !== undefined;
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
    this.#drivers.changed();
  }

  prefer(kind: DriverKind, name: string): Promise<void> {
    return this.#drivers.prefer(kind, name);
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
    this.#drivers.changed();
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
    this.#guards.removed(plugin);
    this.#drivers.changed();
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
    const { Changes } = await import('./changes/changes.ts');
    this.#changes ??= new Changes({
      options: this.#options,
      records: this.#records,
      registry: this.#registry,
      make: (record) => this.#make(record),
      onEvent: (...given) => this.#publish(...given),
    });
    return this.#changes;
  }

  #make(record: PluginRecord): Plugin {
    return makePlugin(record, {
      options: this.#options,
      policy: this.#policy,
      registry: this.#registry,
      sockets: this.#sockets,
      former: this.#former,
      native: this.#native,
      publish: (...given) => this.#publish(...given),
      onReady: (plugin, generation) => {
        this.#guards.renewed(plugin);
        void this.#comparisons.onReady(plugin, generation);
      },
      onProbationPassed: (plugin) => this.#decide(plugin, { isOnProbation: false }),
      // Only a change begins a probation.
      onProbationFailed: (plugin, reason) => void this.#changes?.rollBack(plugin, reason),
      onFull: (plugin, reason) => void this.#change().then((changes) => changes.renew(plugin, reason)),
    });
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
    if (action === 'crash' || action === 'quarantine' || action === 'hang' || action === 'renew')
      this.#options.log.warn({ plugin: plugin.name, ...attributes }, `plugin ${action}`);
  }
}
