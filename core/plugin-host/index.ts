import { join } from 'node:path';
import { type DriverKind, type DriverKinds, type Logger, type Manifest, notFound, unavailable } from '@gantry/sdk';
import type { PluginInfo, Plugins } from '@gantry/sdk/engine';
import { driverContext, type Drivers, type Grants } from '../drivers/index.ts';
import { type Database, pluginState } from '../metadata/index.ts';
import { discoverPlugins, type Discovered, type Rejected } from './discover.ts';
import { Plugin } from './plugin.ts';

export interface PluginHostOptions {
  readonly database: Database;
  readonly log: Logger;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pluginDirs: readonly string[];
  /** Settings by plugin name. */
  readonly pluginSettings?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Settings for every plugin that provides a driver of this kind; those by the plugin's name win. */
  readonly kindSettings?: { readonly [Kind in DriverKind]?: Readonly<Record<string, unknown>> };
}

/** Finds plugins, starts each when first needed, hands out their drivers, stops them in reverse order. */
export class PluginHost implements Drivers, Plugins, AsyncDisposable {
  readonly #options: PluginHostOptions;
  readonly #plugins = new Map<string, Plugin>();
  readonly #providers = new Map<string, Plugin>();
  readonly #rejected: readonly Rejected[];
  readonly #preferred = new Map<DriverKind, Promise<string>>();

  constructor(options: PluginHostOptions) {
    this.#options = options;
    const { found, rejected } = discoverPlugins(options.pluginDirs);
    this.#rejected = rejected;
    for (const { dir, reason } of rejected) options.log.warn({ dir, reason }, 'plugin left out');
    for (const discovered of found) this.#install(discovered);
  }

  async get<Kind extends DriverKind>(kind: Kind, name: string): Promise<DriverKinds[Kind]> {
    const drivers = await this.#provider(kind, name).drivers();
    const driver = drivers[kind]?.[name];
    if (driver === undefined) throw this.#unknown(kind, name);
    return driver;
  }

  has(kind: DriverKind, name: string): boolean {
    return this.#providers.has(`${kind}/${name}`);
  }

  names(kind: DriverKind): readonly string[] {
    return [...this.#providers.keys()]
      .filter((key) => key.startsWith(`${kind}/`))
      .map((key) => key.slice(kind.length + 1))
      .toSorted();
  }

  grants(kind: DriverKind, name: string): Grants {
    const { manifest } = this.#provider(kind, name).discovered;
    const { mountTypes = [], hostPaths = [], devices = [], nftables = false } = manifest.privileges ?? {};
    return {
      plugin: manifest.name,
      dataDir: this.#folder(this.#options.dataRoot, manifest.name),
      mountTypes,
      hostPaths,
      devices,
      nftables,
    };
  }

  /** The driver with the highest priority, tried or not; for kinds that need nothing of the host. */
  first(kind: DriverKind): string {
    const [name] = this.#byPriority(kind);
    if (name === undefined) throw unavailable(`no ${kind} driver is installed`);
    return name;
  }

  preferred(kind: DriverKind): Promise<string> {
    let choice = this.#preferred.get(kind);
    if (choice === undefined) {
      choice = this.#choose(kind);
      this.#preferred.set(kind, choice);
      choice.catch(() => this.#preferred.delete(kind));
    }
    return choice;
  }

  list(): readonly PluginInfo[] {
    const broken = this.#rejected.map(
      ({ dir, reason }): PluginInfo => ({
        name: dir,
        version: '',
        description: '',
        placement: 'in-process',
        state: 'failed',
        provides: [],
        error: reason,
      }),
    );
    return [...[...this.#plugins.values()].map((plugin) => plugin.info()).toSorted((a, b) => (a.name < b.name ? -1 : 1)), ...broken];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const plugin of [...this.#plugins.values()].toReversed()) await plugin.stop();
  }

  #install(discovered: Discovered): void {
    const { manifest } = discovered;
    const { database, log, dataRoot, execRoot } = this.#options;
    const plugin = new Plugin(discovered, (signal) => ({
      name: manifest.name,
      config: this.#settings(manifest),
      dataDir: this.#folder(dataRoot, manifest.name),
      runDir: this.#folder(execRoot, manifest.name),
      state: pluginState(database, manifest.name),
      log: log.child({ plugin: manifest.name }),
      signal,
    }));
    if (this.#plugins.has(manifest.name)) {
      log.warn({ plugin: manifest.name, dir: discovered.dir }, 'a plugin of this name is installed already; this one is left out');
      return;
    }
    this.#plugins.set(manifest.name, plugin);
    for (const { contract, drivers } of manifest.provides) {
      for (const driver of drivers) {
        const key = `${contract}/${driver}`;
        if (this.#providers.has(key))
          log.warn({ plugin: manifest.name, driver: key }, 'shadowed: another plugin provides this driver already');
        else this.#providers.set(key, plugin);
      }
    }
  }

  #settings({ name, provides }: Manifest): Readonly<Record<string, unknown>> {
    const { pluginSettings = {}, kindSettings = {} } = this.#options;
    return Object.assign({}, ...provides.map(({ contract }) => kindSettings[contract]), pluginSettings[name]) as Readonly<
      Record<string, unknown>
    >;
  }

  #folder(root: string, name: string): string {
    return join(root, 'plugins', name);
  }

  #provider(kind: DriverKind, name: string): Plugin {
    const plugin = this.#providers.get(`${kind}/${name}`);
    if (plugin === undefined) throw this.#unknown(kind, name);
    return plugin;
  }

  #unknown(kind: DriverKind, name: string): Error {
    return notFound(`${kind} driver "${name}" not found`, {
      hint: `installed ${kind} drivers: ${this.names(kind).join(', ') || 'none'}`,
      reason: 'DRIVER_NOT_FOUND',
    });
  }

  async #choose(kind: DriverKind): Promise<string> {
    const skipped: string[] = [];
    for (const name of this.#byPriority(kind)) {
      const reason = await this.#whyNot(kind, name);
      if (reason === undefined) return name;
      skipped.push(`${name}: ${reason}`);
      this.#options.log.info({ kind, driver: name, reason }, 'driver skipped');
    }
    throw unavailable(`no ${kind} driver works on this host (${skipped.join('; ') || 'none is installed'})`);
  }

  #byPriority(kind: DriverKind): string[] {
    const offers = [...this.#plugins.values()].flatMap(({ discovered }) =>
      discovered.manifest.provides.filter(({ contract, priority }) => contract === kind && priority !== undefined),
    );
    return offers.toSorted((a, b) => (b.priority ?? 0) - (a.priority ?? 0)).flatMap(({ drivers }) => drivers.slice(0, 1));
  }

  async #whyNot(kind: DriverKind, name: string): Promise<string | undefined> {
    try {
      const driver = await this.get(kind, name);
      if (!('probe' in driver) || typeof driver.probe !== 'function') return undefined;
      const { usable, reason = 'cannot work here' } = await driver.probe({}, driverContext(this.#options.log));
      return usable ? undefined : reason;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}
