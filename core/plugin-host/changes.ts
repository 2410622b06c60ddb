import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { alreadyExists, conflict, forbidden, invalidArgument, type Manifest, messageOf, notImplemented } from '@gantry/sdk';
import type { InstallRequest, Placement, PluginOffer, Plugins, Privilege } from '@gantry/sdk/engine';
import { pluginState } from '../metadata/index.ts';
import { createFromArchive, fetchPlugin, offerOf, packArchive, parseSource, pushPlugin } from '../plugin-install/index.ts';
import { comparePrivilegeChange, comparePrivileges, delta, dockerSettings, privilegesOf } from '../plugin-manifest/index.ts';
import { failpoint, randomId, shortId, shortRandom } from '../support/index.ts';
import { compare } from './comparison.ts';
import type { Generation } from './generation.ts';
import type { HostOptions } from './options.ts';
import type { Plugin } from './plugin.ts';
import { type PluginRecord, userOf, type Version } from './record.ts';
import { defaultPlacement, type Records } from './records.ts';
import type { Registry } from './registry.ts';
import { checkEngine } from './requirements.ts';
import { applySettings, needsRestart } from './settings.ts';
import { foldersOf } from './start.ts';

export interface ChangesParts {
  readonly options: HostOptions;
  readonly records: Records;
  readonly registry: Registry;
  readonly make: (record: PluginRecord) => Plugin;
  readonly onEvent: (plugin: Plugin, action: string) => void;
}

type Fetched = Pick<InstallRequest, 'source' | 'grant'>;
type Check = (asked: readonly Privilege[], granted: readonly Privilege[]) => void;

/** Installing, setting, upgrading, going back and removing: what is recorded is what the next engine finds, at every moment. */
export class Changes {
  readonly #parts: ChangesParts;
  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  async offer(...[source, { upgradeOf, ...options } = {}]: Parameters<Plugins['offer']>): Promise<PluginOffer> {
    const { options: host, records, registry } = this.#parts;
    const installed = upgradeOf === undefined ? undefined : registry.find(upgradeOf).record;
    const offer = await offerOf(parseSource(source), join(records.codeRoot, `.offer-${shortRandom()}`), host.installTools(), options);
    return installed === undefined ? offer : { ...offer, change: delta(installed.privileges, offer.privileges) };
  }

  async install(...[request, options = {}]: Parameters<Plugins['install']>): Promise<Plugin> {
    const version = await this.#fetch(request, comparePrivileges, { ...options, name: request.alias });
    const plugin = await this.#keepOrDiscard(version, async () => {
      const name = request.alias ?? version.manifest.name;
      this.#checkFree(name);
      const { settings, secrets } = await applySettings(version.manifest, { settings: {}, secrets: {} }, request.settings ?? {});
      return this.#add({
        ...version,
        name,
        placement: this.#placement(version, request.placement),
        settings,
        secrets,
        enabled: request.enable,
      });
    });
    this.#parts.onEvent(plugin, 'pull');
    if (request.enable) await this.#proveFirst(plugin);
    return plugin;
  }

  async create(...[name, archive, options = {}]: Parameters<Plugins['create']>): Promise<Plugin> {
    this.#checkFree(name);
    const { options: host } = this.#parts;
    const version = await createFromArchive(name, archive, this.#codeDir(), host.installTools(), options);
    const plugin = await this.#keepOrDiscard(version, async () =>
      this.#add({ ...version, name, placement: this.#placement(version, undefined), settings: {}, secrets: {}, enabled: false }),
    );
    this.#parts.onEvent(plugin, 'create');
    return plugin;
  }

  async pack(...[archive, options]: Parameters<Plugins['pack']>): ReturnType<Plugins['pack']> {
    const { options: host, records } = this.#parts;
    return packArchive(archive, join(records.codeRoot, `.pack-${shortRandom()}`), options, host.installTools());
  }

  async push(...[name, options = {}]: Parameters<Plugins['push']>): ReturnType<Plugins['push']> {
    const plugin = this.#parts.registry.find(name);
    const pushed = await pushPlugin(
      plugin.record.dir,
      { reference: plugin.name, scratch: join(this.#parts.records.codeRoot, `.push-${shortRandom()}`) },
      this.#parts.options.installTools(),
      options,
    );
    this.#parts.onEvent(plugin, 'push');
    return pushed;
  }

  async attach({ address, token = '', manifest, alias }: Parameters<Plugins['attach']>[0]): Promise<Plugin> {
    const { checkAddress } = await import('./external.ts');
    checkAddress(address);
    if (manifest === undefined)
      throw invalidArgument('an external plugin needs its manifest', { hint: 'the program prints it with --manifest' });
    const name = alias ?? manifest.name;
    this.#checkFree(name);
    const plugin = this.#add({
      dir: '/',
      manifest,
      source: `external:${address}`,
      digest: '',
      name,
      placement: 'external',
      settings: {},
      secrets: {},
      enabled: true,
      address,
      token,
    });
    try {
      await this.#proveFirst(plugin);
    } catch (error) {
      await this.remove(plugin, { keepData: false });
      throw error;
    }
    return plugin;
  }

  /** Live when the plugin can, else by a new generation; recorded only when the plugin took it. */
  async set(plugin: Plugin, changes: Readonly<Record<string, unknown>>): Promise<void> {
    const { record } = plugin;
    const settled = await applySettings(record.manifest, record, asSettings(record, changes));
    const commit = (): void => {
      plugin.record = { ...plugin.record, ...settled };
      this.#parts.records.put(plugin.record);
    };
    const running = plugin.current;
    if (running === undefined) {
      commit();
      if (record.enabled && plugin.state !== 'discovered') plugin.allow();
      return;
    }
    plugin.discretion.know(Object.values(settled.secrets));
    const isLive = !needsRestart(record.manifest, Object.keys(changes));
    const answer = isLive ? await running.link.configure(settled.settings, settled.secrets) : { problems: [], needsRestart: true };
    const fatal = answer.problems.filter((problem) => problem.fatal);
    if (fatal.length > 0)
      throw invalidArgument(
        plugin.discretion.text(
          `plugin ${plugin.name} does not take its settings: ${fatal.map(({ path, message }) => `${path}: ${message}`).join('; ')}`,
        ),
      );
    if (answer.needsRestart)
      await plugin.swap(record, {
        ...settled,
        isExclusive: isExclusive(record.manifest),
        prove: (next) => this.#prove(plugin, next),
        commit,
      });
    else commit();
  }

  async upgrade(...[name, request, options = {}]: Parameters<Plugins['upgrade']>): Promise<Plugin> {
    const plugin = this.#parts.registry.find(name);
    const { record } = plugin;
    if (!record.isInstalled) throw conflict(`plugin ${plugin.name} was found in ${record.dir}, not installed, so it is upgraded there`);
    const check: Check = (asked, grant) => comparePrivilegeChange({ before: plugin.record.privileges, asked }, grant);
    const version = await this.#fetch(request, check, { ...options, name: plugin.name });
    failpoint('plugin.upgrade.fetched');
    await this.#keepOrDiscard(version, async () => {
      checkSuccessor(record.manifest, version.manifest);
      await this.#switchTo(plugin, version, { previous: () => this.#asPrevious(record, version) });
    });
    failpoint('plugin.upgrade.switched');
    this.#discard(record.previous);
    this.#parts.onEvent(plugin, 'upgrade');
    return plugin;
  }

  async rollback(plugin: Plugin): Promise<Plugin> {
    const { previous } = plugin.record;
    if (previous === undefined) throw conflict(`plugin ${plugin.name} has no version before ${plugin.record.manifest.version}`);
    const { state, settings, privileges: _privileges, ...version } = previous;
    const failed = plugin.record;
    if (state !== undefined) await plugin.stop();
    await this.#switchTo(plugin, version, { previous: () => undefined, settings, state });
    failpoint('plugin.rollback.switched');
    this.#discard(failed);
    this.#parts.onEvent(plugin, 'rollback');
    return plugin;
  }

  /** The probation was not passed; nobody waits for this. */
  async rollBack(plugin: Plugin, reason: string): Promise<void> {
    plugin.output.say(`version ${plugin.record.manifest.version} did not pass its probation: ${reason}`);
    // A call meanwhile would start the version that failed once more.
    using _parked = plugin.park();
    await plugin.stop();
    await this.rollback(plugin).catch((error: unknown) => plugin.output.say(`rollback failed: ${messageOf(error)}`));
  }

  async remove(plugin: Plugin, { keepData }: { readonly keepData: boolean }): Promise<void> {
    const { options, records, registry } = this.#parts;
    const { record } = plugin;
    if (!record.isInstalled)
      throw conflict(
        `plugin ${plugin.name} ${record.builtIn ? 'is part of the engine' : `was found in ${record.dir}`} and cannot be removed`,
        { hint: 'it can be disabled' },
      );
    await plugin.close();
    records.remove(record, { keepData });
    registry.remove(plugin);
    this.#discard(record);
    this.#discard(record.previous);
    const folders = foldersOf(options, record);
    rmSync(folders.runDir, { recursive: true, force: true });
    if (record.placement === 'container') (await import('./managed.ts')).unmountPropagated(folders.dataDir);
    if (!keepData) rmSync(folders.dataDir, { recursive: true, force: true });
    this.#parts.onEvent(plugin, 'remove');
  }

  async #fetch({ source, grant }: Fetched, check: Check, options: Parameters<typeof fetchPlugin>[3]): Promise<Version> {
    const { options: host } = this.#parts;
    const version = await fetchPlugin(parseSource(source), this.#codeDir(), host.installTools(), options);
    return this.#keepOrDiscard(version, async () => {
      checkEngine(version.manifest, host.version);
      if (grant !== 'all') check(privilegesOf(version.manifest), grant);
      return version;
    });
  }

  /** New code in the place of what runs, or of what would run. */
  async #switchTo(
    plugin: Plugin,
    version: Version,
    {
      previous,
      settings,
      state,
    }: {
      /** Taken when nothing of the version before changes any more. */
      readonly previous: () => PluginRecord['previous'];
      readonly settings?: PluginRecord['settings'];
      readonly state?: NonNullable<PluginRecord['previous']>['state'];
    },
  ): Promise<void> {
    const { records } = this.#parts;
    const settled = await applySettings(
      version.manifest,
      { settings: settings ?? plugin.record.settings, secrets: plugin.record.secrets },
      {},
    );
    let before: PluginRecord['previous'];
    const prepare = (): void => {
      before = previous();
      if (!isExclusive(version.manifest) || before?.state === undefined) return;
      plugin.record = { ...plugin.record, stateBefore: before.state };
      records.put(plugin.record);
    };
    const giveUp = (): void => {
      plugin.record = records.withStateBefore(plugin.record);
    };
    const commit = (): void => {
      const { previous: _former, dockerConfig: _config, isOnProbation: _probation, stateBefore: _state, ...kept } = plugin.record;
      const next = { ...kept, ...version, ...settled, privileges: privilegesOf(version.manifest) };
      failpoint('plugin.upgrade.commit');
      plugin.record = before === undefined ? next : { ...next, previous: before, isOnProbation: true };
      records.put(plugin.record, state);
      failpoint('plugin.upgrade.committed');
    };
    // Of the version before: what it comes to must not be taken for the new one's.
    await plugin.settled();
    if (plugin.current === undefined) {
      before = previous();
      commit();
      plugin.allow();
      if (plugin.record.enabled) await plugin.start();
      return;
    }
    await plugin.swap(version, {
      ...settled,
      isExclusive: isExclusive(version.manifest) || isOtherUser(plugin.record, version),
      prepare,
      giveUp,
      prove: (next) => this.#prove(plugin, next),
      commit,
    });
  }

  /** What a new generation must show before it serves: its own checks, and everything that the old one had. */
  async #prove(plugin: Plugin, next: Generation): Promise<void> {
    failpoint('plugin.upgrade.started');
    const signal = AbortSignal.timeout(60_000);
    const failed = (await next.link.selfTest(true, signal)).filter(({ ok }) => !ok);
    if (failed.length > 0)
      throw conflict(`its self-test failed: ${failed.map(({ name, message }) => `${name}: ${message}`).join('; ')}`, {
        hint: failed[0]?.hint,
      });
    const { options, registry } = this.#parts;
    const { missing } = await compare(options.database, registry.served(plugin), next.link, signal);
    if (missing.length > 0)
      throw conflict(
        `it does not have ${missing
          .slice(0, 5)
          .map(({ ref: { kind, id } }) => `${kind} ${id}`)
          .join(', ')}, which the running version has`,
      );
  }

  #asPrevious(record: PluginRecord, next: Version): NonNullable<PluginRecord['previous']> {
    const { dir, manifest, source, digest, dockerConfig, privileges, settings } = record;
    const isOtherFormat = (next.manifest.state?.version ?? 1) !== (manifest.state?.version ?? 1);
    return {
      dir,
      manifest,
      source,
      digest,
      privileges,
      settings,
      ...(dockerConfig === undefined ? {} : { dockerConfig }),
      ...(isOtherFormat ? { state: pluginState(this.#parts.options.database, record.name).list('') } : {}),
    };
  }

  async #proveFirst(plugin: Plugin): Promise<void> {
    this.#parts.onEvent(plugin, 'enable');
    await plugin.serving();
  }

  #add(given: Omit<PluginRecord, 'id' | 'builtIn' | 'isInstalled' | 'privileges' | 'uid'>): Plugin {
    const { records, registry, make } = this.#parts;
    const former = records.takeBack(given.manifest, given.name);
    const record: PluginRecord = {
      ...given,
      id: former?.id ?? randomId(),
      builtIn: false,
      isInstalled: true,
      privileges: privilegesOf(given.manifest),
      uid: former?.uid || records.freeUid(),
    };
    failpoint('plugin.fetched');
    records.put(record);
    failpoint('plugin.recorded');
    const plugin = make(record);
    registry.add(plugin);
    return plugin;
  }

  #placement({ manifest, dockerConfig }: Version, wished: Placement | undefined): Placement {
    if (dockerConfig !== undefined) return 'container';
    const { placement: allowed = ['process'] } = manifest;
    if (wished === 'container' || wished === 'external') throw notImplemented(`a plugin cannot be installed as ${wished}`);
    const placement = wished ?? defaultPlacement;
    if (allowed.includes(placement)) return placement;
    throw forbidden(`plugin ${manifest.name} does not run in placement ${placement}`, {
      hint: `its manifest allows ${allowed.join(', ')}; in the engine's process, threads included, it may do all that the engine may: choose that only for code that you trust`,
    });
  }

  #codeDir(): string {
    return join(this.#parts.records.codeRoot, shortId(randomId()));
  }

  #checkFree(name: string): void {
    if (this.#parts.registry.has(name))
      throw alreadyExists(`plugin ${name} is installed already`, { hint: 'upgrade it, or choose another name with an alias' });
  }

  async #keepOrDiscard<Result>(version: Version, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      this.#discard(version);
      throw error;
    }
  }

  #discard(version: Version | undefined): void {
    if (version !== undefined && version.dir.startsWith(this.#parts.records.codeRoot))
      rmSync(version.dir, { recursive: true, force: true });
  }
}

/** Docker's short forms: "debug" for the one field of it that can be set. */
function asSettings({ dockerConfig }: PluginRecord, changes: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (dockerConfig === undefined) return changes;
  const isText = ([, value]: readonly [string, unknown]): boolean => typeof value === 'string';
  const texts = Object.entries(changes).filter(isText);
  const others = Object.entries(changes).filter((entry) => !isText(entry));
  return {
    ...Object.fromEntries(others),
    ...dockerSettings(
      dockerConfig,
      texts.map(([key, value]) => `${key}=${String(value)}`),
    ),
  };
}

/** Its folders belong to one user at a time. */
const isOtherUser = (record: PluginRecord, next: Version): boolean => userOf(record, record) !== userOf(record, next);

const isExclusive = ({ state }: Manifest): boolean => state?.upgrade === 'exclusive';

/** Objects bind to a driver's name: a version that lacks one would strand them. */
function checkSuccessor(before: Manifest, after: Manifest): void {
  if (after.name !== before.name)
    throw invalidArgument(`${after.name} is another plugin than ${before.name}`, { hint: 'install it beside' });
  for (const { contract, drivers } of before.provides) {
    const kept = after.provides.find((provided) => provided.contract === contract)?.drivers ?? [];
    const lost = drivers.find((driver) => !kept.includes(driver));
    if (lost !== undefined)
      throw conflict(`version ${after.version} has no ${contract} driver ${lost}, which version ${before.version} has`);
  }
}
