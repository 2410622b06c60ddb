import { createHash } from 'node:crypto';
import { checkManifest, conflict, forbidden, invalidArgument, type Manifest, notFound, notImplemented, unavailable } from '@gantry/sdk';
import { type PluginInfo, pluginInUse, type PluginLine, type PluginOrphan, type Plugins, type PluginUser } from '@gantry/sdk/engine';
import type { EventBus } from '../../../../core/events/index.ts';
import { comparePrivilegeChange, comparePrivileges, delta } from '../../../../core/plugin-manifest/index.ts';
import { type Package, packageOf, Packages } from './plugin-packages.ts';
import { readSettings } from './plugin-settings.ts';

interface Installed {
  info: PluginInfo;
  current: Package;
  previous: Package | undefined;
  users: readonly PluginUser[];
  readonly lines: PluginLine[];
  /** Those who follow its output and wait. */
  readonly waiting: Set<() => void>;
  isGone: boolean;
}

/**
 * Plugins that never run, with all the rules that what stands before an engine can see. A package whose version has "broken" in it
 * fails to start; users are what a test says they are.
 */
export class MemoryPlugins implements Plugins {
  readonly packages = new Packages();
  readonly #all = new Map<string, Installed>();
  readonly #events: EventBus;

  constructor(events: EventBus) {
    this.#events = events;
    const provides = [{ contract: 'graph' as const, versions: ['v1'], drivers: ['memory'] }];
    const manifest = { manifestVersion: 1, name: 'gantry.memory', version: '1.0.0', provides, entry: { node: 'main.ts' } } as const;
    const own = this.#add(manifest.name, packageOf('built-in', manifest), {});
    own.info = { ...own.info, builtIn: true, placement: 'in-process', enabled: true, state: 'ready', generation: 1 };
  }

  /** Says who uses a plugin from now on. */
  use(name: string, users: readonly PluginUser[]): void {
    this.#find(name).users = users;
  }

  /** As if it had these when it was compared with the records. */
  found(name: string, orphans: readonly PluginOrphan[]): void {
    this.#change(name, { orphans });
  }

  /** As if the plugin had printed it. */
  say(name: string, line: string, source: PluginLine['source'] = 'stdout'): void {
    const plugin = this.#find(name);
    plugin.lines.push({ time: new Date(), source, line });
    plugin.info = { ...plugin.info, output: plugin.lines.map((each) => each.line).slice(-20) };
    wakeAll(plugin);
  }

  /** As if it had ended too often. */
  crash(name: string): void {
    const { info } = this.#change(name, {
      state: 'quarantined',
      error: 'it ended with exit code 7 for the 5th time in 5 minutes',
      hint: `look at its output, then: gantry plugin enable ${name}`,
      restarts: 5,
    });
    this.#publish('crash', info);
    this.#publish('quarantine', info);
  }

  list: Plugins['list'] = () => [...this.#all.values()].map(({ info }) => info);
  inspect: Plugins['inspect'] = (name) => this.#find(name).info;
  users: Plugins['users'] = (name) => this.#find(name).users;
  offer: Plugins['offer'] = async (source, { upgradeOf } = {}) => {
    const { dockerConfig: _config, ...offer } = this.packages.get(source);
    if (upgradeOf === undefined) return offer;
    return { ...offer, change: delta(this.#find(upgradeOf).current.privileges, offer.privileges) };
  };

  install: Plugins['install'] = async ({ source, alias, grant, enable, settings = {}, placement }, { onProgress } = {}) => {
    const found = this.packages.get(source);
    if (grant !== 'all') comparePrivileges(found.privileges, grant);
    const name = alias ?? found.manifest.name;
    if (this.#all.has(name)) throw conflict(`plugin ${JSON.stringify(name)} already exists`);
    const read = readSettings(found.manifest, {}, settings);
    for (const current of [10, 20]) onProgress?.({ id: found.digest.slice(7, 19), status: 'Downloading', current, total: 20 });
    await turn();
    const plugin = this.#add(name, found, read);
    if (placement !== undefined) plugin.info = { ...plugin.info, placement };
    this.#publish('pull', plugin.info);
    if (enable) await this.enable(name);
    return this.inspect(name);
  };

  create: Plugins['create'] = async (name, archive) => {
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(chunk);
    if (this.#all.has(name)) throw conflict(`plugin ${JSON.stringify(name)} already exists`);
    const bytes = Buffer.concat(chunks);
    const found = bytes.toString('latin1').match(/(config|gantry-plugin)\.json\0[^{]*(\{[^\0]*\})/);
    if (bytes.length % 512 !== 0 || found === null) throw invalidArgument('the archive has neither config.json nor gantry-plugin.json');
    const document: unknown = JSON.parse(found[2] ?? '');
    const isDockers = found[1] === 'config';
    const provides = [{ contract: 'volume', versions: ['v1'], drivers: ['made'] }];
    const manifest = checkManifest(
      isDockers ? { manifestVersion: 1, name: 'made', version: '0.0.0', provides, entry: { exec: ['/made'] } } : document,
    );
    const plugin = this.#add(name, packageOf('created', manifest, isDockers ? document : undefined), {});
    this.#publish('create', plugin.info);
    return plugin.info;
  };

  /** As it came. */
  pack: Plugins['pack'] = async (archive) => archive;

  push: Plugins['push'] = async (name, { auth, onProgress } = {}) => {
    const { info, current } = this.#find(name);
    if (auth?.password === 'wrong') throw unavailable(`${info.name}: the registry refused the password`);
    onProgress?.({ id: current.digest.slice(7, 19), status: 'Pushed' });
    await turn();
    this.packages.add(info.name, current.manifest, current.dockerConfig);
    this.#publish('push', info);
    return { reference: info.name, digest: current.digest, size: 4_711 };
  };

  enable: Plugins['enable'] = async (name) => {
    const { info, current } = this.#find(name);
    const generation = (info.generation ?? 0) + 1;
    if (!info.enabled) this.#publish('enable', this.#change(name, { enabled: true, state: 'starting' }).info);
    if (isBroken(current.manifest)) {
      const error = 'it ended with exit code 7 before it was ready';
      this.#change(name, { state: 'backoff', generation, error, hint: `gantry plugin logs ${info.name}`, restarts: info.restarts + 1 });
      this.say(name, 'Error: no such server', 'stderr');
      throw unavailable(`plugin ${info.name} did not start: ${error}`, { hint: 'its last line: Error: no such server' });
    }
    const plugin = this.#change(name, {
      state: 'ready',
      generation,
      pid: 4_711,
      startedInMs: 12,
      startedAt: new Date(),
      error: '',
      hint: '',
    });
    this.say(name, `generation ${generation} is ready`, 'engine');
    this.#publish('ready', plugin.info);
  };

  disable: Plugins['disable'] = async (name, { force = false } = {}) => {
    const { info, users } = this.#find(name);
    if (info.builtIn) throw forbidden(`plugin ${info.name} is part of the engine and cannot be disabled`);
    if (!force)
      refuseFor(
        info,
        users.filter(({ hard }) => hard),
      );
    this.#publish('disable', this.#change(name, { enabled: false, state: 'disabled' }).info);
  };

  set: Plugins['set'] = async (name, given) => {
    const { info, current } = this.#find(name);
    const known = { ...info.settings, ...Object.fromEntries(info.secrets.map((secret) => [secret, ''])) };
    this.#change(name, shownSettings(current.manifest, readSettings(current.manifest, known, given)));
  };

  upgrade: Plugins['upgrade'] = async (name, { source, grant }, { onProgress } = {}) => {
    const plugin = this.#find(name);
    const found = this.packages.get(source);
    if (grant !== 'all') comparePrivilegeChange({ before: plugin.current.privileges, asked: found.privileges }, grant);
    onProgress?.({ id: found.digest.slice(7, 19), status: 'Downloading', current: 20, total: 20 });
    await turn();
    if (isBroken(found.manifest) && plugin.info.enabled)
      throw unavailable(`plugin ${plugin.info.name} ${found.manifest.version} did not start`);
    return this.#replace(plugin, found);
  };

  rollback: Plugins['rollback'] = async (name) => {
    const plugin = this.#find(name);
    if (plugin.previous === undefined) throw conflict(`plugin ${plugin.info.name} was never upgraded: there is nothing to go back to`);
    this.#replace(plugin, plugin.previous);
    this.#publish('rollback', plugin.info);
    return plugin.info;
  };

  remove: Plugins['remove'] = async (name, { force = false } = {}) => {
    const plugin = this.#find(name);
    const { info, users } = plugin;
    if (info.builtIn) throw forbidden(`plugin ${info.name} is part of the engine and cannot be removed`);
    if (!force) refuseFor(info, users);
    this.#all.delete(info.name);
    plugin.isGone = true;
    wakeAll(plugin);
    this.#publish('remove', info);
  };

  call: Plugins['call'] = async ({ kind, driver, method, request, dryRun }) => {
    const plugin = this.list().find(({ provides }) =>
      provides.some(({ contract, drivers }) => contract === kind && drivers.includes(driver)),
    );
    if (plugin === undefined) throw notFound(`no plugin provides ${kind}/${driver}`);
    if (!/^(list|stat|attach|create)$/.test(method)) throw notImplemented(`${kind}/${driver} has no method ${method}`);
    if (dryRun && method === 'create') throw invalidArgument(`${method} changes something: it cannot be tried`);
    return { method, request, dryRun };
  };

  collectOrphans: Plugins['collectOrphans'] = async (name, { all = false, dryRun = false } = {}) => {
    const { orphans = [] } = this.#find(name).info;
    const isOld = ({ since }: (typeof orphans)[number]): boolean => all || since.getTime() < Date.now() - 86_400_000;
    const young = orphans.filter((orphan) => !isOld(orphan));
    if (!dryRun) this.#change(name, { orphans: young });
    return { deleted: orphans.filter(isOld), kept: young.map((orphan) => ({ ...orphan, reason: 'it was first seen a short while ago' })) };
  };

  collectOrphansAlways: Plugins['collectOrphansAlways'] = async (name, always) => {
    this.#change(name, { collectsOrphans: always });
  };

  logs: Plugins['logs'] = (name, options = {}) => follow(this.#find(name), options);

  prefer: Plugins['prefer'] = async (kind, driver) => {
    if (kind !== 'graph') throw invalidArgument(`the default ${kind} driver is chosen when the engine starts`);
    const isThere = this.list().some(({ provides }) =>
      provides.some(({ contract, drivers }) => contract === kind && drivers.includes(driver)),
    );
    if (!isThere) throw notFound(`${kind} driver "${driver}" not found`);
  };

  bind: Plugins['bind'] = async (kind, driver, name) => {
    const { info } = this.#find(name);
    if (!info.provides.some(({ contract, drivers }) => contract === kind && drivers.includes(driver))) {
      throw invalidArgument(`plugin ${info.name} has no ${kind} driver ${driver}`);
    }
    for (const other of this.list()) this.#change(other.name, { shadowed: other.shadowed.filter((key) => key !== `${kind}/${driver}`) });
    for (const other of this.list()) {
      const isOther =
        other.name !== info.name && other.provides.some(({ contract, drivers }) => contract === kind && drivers.includes(driver));
      if (isOther) this.#change(other.name, { shadowed: [...other.shadowed, `${kind}/${driver}`] });
    }
  };

  attach: Plugins['attach'] = async ({ address, alias, manifest = attached }) => {
    if (!address.startsWith('unix:///')) throw invalidArgument(`${address} is not unix:///path`);
    const name = alias ?? manifest.name;
    if (this.#all.has(name)) throw conflict(`plugin ${JSON.stringify(name)} already exists`);
    const plugin = this.#add(name, packageOf(`external:${address}`, manifest), {});
    plugin.info = { ...plugin.info, placement: 'external', enabled: true, state: 'ready', generation: 1 };
    return plugin.info;
  };

  #find(name: string): Installed {
    const byId = () => [...this.#all.values()].filter(({ info }) => name !== '' && info.id.startsWith(name));
    const [found, second] = this.#all.has(name) ? [this.#all.get(name)] : byId();
    if (found === undefined || second !== undefined) throw notFound(`plugin ${JSON.stringify(name)} not found`);
    return found;
  }

  #isServed(key: string): boolean {
    return this.list().some(({ provides }) =>
      provides.some(({ contract, drivers }) => drivers.some((driver) => `${contract}/${driver}` === key)),
    );
  }

  #add(name: string, from: Package, settings: Readonly<Record<string, unknown>>): Installed {
    const id = createHash('sha256').update(name).digest('hex');
    const base = {
      id,
      name,
      builtIn: false,
      placement: 'process',
      enabled: false,
      state: 'disabled',
      shadowed: from.manifest.provides
        .flatMap(({ contract, drivers }) => drivers.map((driver) => `${contract}/${driver}`))
        .filter((key) => this.#isServed(key)),
      restarts: 0,
      output: [],
    } as const;
    const info: PluginInfo = { ...base, ...factsOf(from), ...shownSettings(from.manifest, settings) };
    const plugin: Installed = { info, current: from, previous: undefined, users: [], lines: [], waiting: new Set(), isGone: false };
    this.#all.set(name, plugin);
    return plugin;
  }

  #replace(plugin: Installed, next: Package): PluginInfo {
    const { info, current } = plugin;
    const generation = info.enabled ? { generation: (info.generation ?? 0) + 1 } : {};
    plugin.info = { ...info, ...factsOf(next), ...generation, previousVersion: current.manifest.version };
    plugin.previous = current;
    plugin.current = next;
    if (info.enabled) this.say(info.name, `version ${next.manifest.version} serves`, 'engine');
    return plugin.info;
  }

  #change(name: string, change: Partial<PluginInfo>): Installed {
    const plugin = this.#find(name);
    const merged = { ...plugin.info, ...change };
    const { error, hint, ...rest } = merged;
    plugin.info = { ...rest, ...(error ? { error } : {}), ...(hint ? { hint } : {}) };
    return plugin;
  }

  #publish(action: string, { id, name }: PluginInfo): void {
    this.#events.publish('plugin', action, id, { name });
  }
}

const attached: Manifest = {
  manifestVersion: 1,
  name: 'outside',
  version: '1.0.0',
  provides: [{ contract: 'volume', versions: ['v1'], drivers: ['outside'] }],
  entry: { exec: ['/outside'] },
};

function factsOf({ source, manifest, privileges, dockerConfig }: Package) {
  const provides = manifest.provides.map(({ contract, drivers, features = [] }) => ({ contract, drivers, features }));
  const { version, description = '' } = manifest;
  return { source, version, description, provides, privileges, ...(dockerConfig === undefined ? {} : { dockerConfig }) };
}

function shownSettings({ settings }: Manifest, values: Readonly<Record<string, unknown>>): Pick<PluginInfo, 'settings' | 'secrets'> {
  const properties = (settings?.['properties'] ?? {}) as Readonly<Record<string, { readonly 'x-secret'?: boolean }>>;
  const isSecret = ([key]: readonly [string, unknown]) => properties[key]?.['x-secret'] === true;
  const all = Object.entries(values);
  return { settings: Object.fromEntries(all.filter((entry) => !isSecret(entry))), secrets: all.filter(isSecret).map(([key]) => key) };
}

function refuseFor({ name }: PluginInfo, users: readonly PluginUser[]): void {
  if (users.length === 0) return;
  throw conflict(`plugin ${JSON.stringify(name)} is in use`, { reason: pluginInUse });
}

const isBroken = ({ version }: Manifest) => version.includes('broken');
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

async function* follow(
  plugin: Installed,
  { tail, follow: goOn = false, signal }: NonNullable<Parameters<Plugins['logs']>[1]>,
): AsyncIterable<PluginLine> {
  const wake = () => wakeAll(plugin);
  signal?.addEventListener('abort', wake);
  try {
    let at = tail === undefined ? 0 : Math.max(0, plugin.lines.length - tail);
    for (;;) {
      for (; at < plugin.lines.length; at++) yield* plugin.lines.slice(at, at + 1);
      if (!goOn || signal?.aborted === true || plugin.isGone) return;
      await new Promise<void>((resolve) => plugin.waiting.add(resolve));
    }
  } finally {
    signal?.removeEventListener('abort', wake);
  }
}

function wakeAll({ waiting }: Installed): void {
  for (const wake of waiting) wake();
  waiting.clear();
}
