import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { aborted, conflict, invalidArgument, messageOf } from '@gantry/sdk';
import type { InstallRequest, PluginOffer, Plugins } from '@gantry/sdk/engine';
import { createFromArchive, offerOf, packArchive, parseSource, pushPlugin } from '../../plugin-install/index.ts';
import { comparePrivilegeChange, comparePrivileges, delta } from '../../plugin-manifest/index.ts';
import { failpoint, shortRandom } from '../../support/index.ts';
import { addPlugin, checkFree, placementFor } from './add.ts';
import type { ChangesParts } from './change-parts.ts';
import type { Plugin } from '../life/plugin.ts';
import { prove } from './prove.ts';
import { setSettings } from './set-settings.ts';
import { applySettings } from '../settings.ts';
import { foldersOf } from '../placements/start.ts';
import { asPrevious, checkSuccessor } from './successor.ts';
import { isExclusive, switchVersion } from './switch-version.ts';
import { codeDir, discard, fetchVersion, keepOrDiscard, type PrivilegeCheck } from './version-code.ts';

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
    const version = await fetchVersion(this.#parts, { ...options, ...chosen(request), check: comparePrivileges, name: request.alias });
    const plugin = await keepOrDiscard(this.#parts, version, async () => {
      const name = request.alias ?? version.manifest.name;
      checkFree(this.#parts, name);
      const { settings, secrets } = await applySettings(version.manifest, { settings: {}, secrets: {} }, request.settings ?? {});
      return addPlugin(this.#parts, {
        ...version,
        name,
        placement: placementFor(version, request.placement),
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
    checkFree(this.#parts, name);
    const { options: host } = this.#parts;
    const version = await createFromArchive(name, archive, codeDir(this.#parts), host.installTools(), options);
    const plugin = await keepOrDiscard(this.#parts, version, async () =>
      addPlugin(this.#parts, { ...version, name, placement: placementFor(version, undefined), settings: {}, secrets: {}, enabled: false }),
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
    const { checkAddress } = await import('../placements/external.ts');
    checkAddress(address);
    if (manifest === undefined)
      throw invalidArgument('an external plugin needs its manifest', { hint: 'the program prints it with --manifest' });
    const name = alias ?? manifest.name;
    checkFree(this.#parts, name);
    const plugin = addPlugin(this.#parts, {
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

  set(plugin: Plugin, changes: Readonly<Record<string, unknown>>): Promise<void> {
    return setSettings(this.#parts, plugin, changes);
  }

  async upgrade(...[name, request, options = {}]: Parameters<Plugins['upgrade']>): Promise<Plugin> {
    const plugin = this.#parts.registry.find(name);
    const { record } = plugin;
    if (!record.isInstalled) throw conflict(`plugin ${plugin.name} was found in ${record.dir}, not installed, so it is upgraded there`);
    const check: PrivilegeCheck = (asked, grant) => comparePrivilegeChange({ before: plugin.record.privileges, asked }, grant);
    const version = await fetchVersion(this.#parts, { ...options, ...chosen(request), check, name: plugin.name });
    failpoint('plugin.upgrade.fetched');
    await keepOrDiscard(this.#parts, version, async () => {
      checkSuccessor(record.manifest, version.manifest);
      await switchVersion(this.#parts, plugin, version, { previous: () => asPrevious(this.#parts, record, version) });
    });
    failpoint('plugin.upgrade.switched');
    discard(this.#parts, record.previous);
    this.#parts.onEvent(plugin, 'upgrade');
    return plugin;
  }

  async rollback(plugin: Plugin): Promise<Plugin> {
    const { previous } = plugin.record;
    if (previous === undefined) throw conflict(`plugin ${plugin.name} has no version before ${plugin.record.manifest.version}`);
    const { state, settings, privileges: _privileges, ...version } = previous;
    const failed = plugin.record;
    if (state !== undefined) await plugin.stop();
    await switchVersion(this.#parts, plugin, version, { previous: () => undefined, settings, state });
    failpoint('plugin.rollback.switched');
    discard(this.#parts, failed);
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

  /** A new generation of the same version in the place of one that uses too much memory; nobody waits for this. One that was changed meanwhile stays. */
  async renew(plugin: Plugin, reason: string): Promise<void> {
    const { current, record } = plugin;
    plugin.output.say(`generation ${current?.number} is renewed: ${reason}`);
    this.#parts.onEvent(plugin, 'renew', { reason });
    const isSame = (): boolean => plugin.current === current && plugin.record.enabled;
    try {
      await plugin.swap(record, {
        settings: record.settings,
        secrets: record.secrets,
        isExclusive: isExclusive(record.manifest),
        prove: (next) => prove(this.#parts, plugin, next),
        commit: () => {
          if (!isExclusive(record.manifest) && !isSame()) throw aborted(`plugin ${plugin.name} was changed meanwhile`);
        },
      });
    } catch (error) {
      plugin.output.say(`it could not be renewed: ${messageOf(error)}`);
    }
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
    discard(this.#parts, record);
    discard(this.#parts, record.previous);
    const folders = foldersOf(options, record);
    rmSync(folders.runDir, { recursive: true, force: true });
    if (record.placement === 'container') (await import('../placements/managed.ts')).unmountPropagated(folders.dataDir);
    if (!keepData) rmSync(folders.dataDir, { recursive: true, force: true });
    this.#parts.onEvent(plugin, 'remove');
  }

  async #proveFirst(plugin: Plugin): Promise<void> {
    this.#parts.onEvent(plugin, 'enable');
    await plugin.serving();
  }
}

/** Of a request to install: which code, and what it may. */
function chosen({ source, grant }: Pick<InstallRequest, 'source' | 'grant'>): Pick<InstallRequest, 'source' | 'grant'> {
  return { source, grant };
}
