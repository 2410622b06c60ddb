import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Manifest } from '@gantry/sdk';
import type { Placement } from '@gantry/sdk/engine';
import { PluginRows, type PluginState, pluginState } from '../metadata/index.ts';
import { privilegesOf } from '../plugin-manifest/index.ts';
import { discoverPlugins, type Rejected } from './discover.ts';
import type { HostOptions } from './options.ts';
import { type Decisions, idOfName, type PluginRecord } from './record.ts';
import { secretsApart, settingsFor } from './settings.ts';

/** The records of all plugins: found in folders at each start, or installed for good. */
export class Records {
  readonly rejected: Rejected[] = [];
  readonly #options: HostOptions;
  readonly #rows: PluginRows<PluginRecord | Decisions>;
  readonly #kept: PluginState;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#kept = pluginState(options.database, 'engine');
    this.#rows = new PluginRows(options.database);
  }

  /** Of the folder for installed plugins' code. */
  get codeRoot(): string {
    return join(this.#options.dataRoot, 'plugin-code');
  }

  load(): readonly PluginRecord[] {
    const stored = new Map(this.#rows.all().map(({ name, document }) => [name, document]));
    const { found, rejected } = discoverPlugins(this.#options.pluginDirs);
    this.rejected.push(...rejected);
    const records = new Map<string, PluginRecord>();
    for (const { dir, manifest } of found) {
      const { name } = manifest;
      if (records.has(name)) this.rejected.push({ dir, reason: `a plugin of the name ${name} is there already` });
      else records.set(name, this.#found(dir, manifest, stored.get(name)));
    }
    for (const [name, document] of stored)
      if ('manifest' in document && !records.has(name)) records.set(name, this.withStateBefore(document));
    return [...records.values()];
  }

  /** With the plugin's whole state as it was with the version of this record, both or none. */
  put(record: PluginRecord, state?: NonNullable<PluginRecord['previous']>['state']): void {
    if (state === undefined) this.#put(record);
    else this.#options.database.transaction(() => (this.#rows.restoreState(record.name, state), this.#put(record)));
  }

  /** The record without what an upgrade kept of the state, which is put back. */
  withStateBefore(record: PluginRecord): PluginRecord {
    const { stateBefore, ...kept } = record;
    if (stateBefore === undefined) return record;
    this.put(kept, stateBefore);
    return kept;
  }

  #put(record: PluginRecord): void {
    const { enabled, placement, settings, secrets, uid, collectsOrphans = false, placementReason: reason } = record;
    const decisions = { enabled, placement, settings, secrets, uid, collectsOrphans, ...(reason && { placementReason: reason }) };
    const before = this.#rows.get(record.name);
    this.#rows.put(record.name, record.isInstalled ? record : decisions, {
      forget: before !== undefined && Object.entries(before.secrets).some(([key, value]) => secrets[key] !== value),
    });
  }

  /** With `keepData`, who it was is remembered: its state and its folder wait for the next install of the same plugin. */
  remove({ id, name, uid, manifest }: PluginRecord, { keepData }: { readonly keepData: boolean }): void {
    this.#rows.remove(name, { state: !keepData });
    if (keepData) this.#kept.put([{ key: keptKey(manifest.name), value: JSON.stringify({ id, name, uid } satisfies Kept) }]);
  }

  /** Who a plugin was that was removed while objects of it stayed; its state is under the new name afterwards. */
  takeBack(manifest: Manifest, name: string): Pick<PluginRecord, 'id' | 'uid'> | undefined {
    const key = keptKey(manifest.name);
    const text = this.#kept.get(key)?.value;
    if (text === undefined) return undefined;
    const { id, uid, name: former } = JSON.parse(text) as Kept;
    this.#rows.moveState(former, name);
    this.#kept.put([{ key, value: undefined }]);
    return { id, uid };
  }

  /** A user id that no other plugin of this store has; far above what people and containers get. */
  freeUid(): number {
    const kept = this.#kept.list(keptKey('')).map(({ value }) => (JSON.parse(value) as Kept).uid);
    const used = new Set([...this.#rows.all().map(({ document }) => document.uid), ...kept]);
    let uid = 1_900_000_000;
    while (used.has(uid)) uid += 1;
    return uid;
  }

  /** Code that no record names: an install or upgrade that the engine did not live to finish. */
  async sweepCode(): Promise<void> {
    if (!existsSync(this.codeRoot)) return;
    const named = new Set(
      this.#rows.all().flatMap(({ document }) => ('manifest' in document ? [document.dir, document.previous?.dir] : [])),
    );
    const { sweepStaging } = await import('../plugin-install/index.ts');
    await sweepStaging(this.codeRoot);
    for (const name of readdirSync(this.codeRoot)) {
      const dir = join(this.codeRoot, name);
      if (!named.has(dir)) rmSync(dir, { recursive: true, force: true });
    }
  }

  #found(dir: string, manifest: Manifest, decided: PluginRecord | Decisions | undefined): PluginRecord {
    const builtIn = !relative(this.#options.pluginDirs[0] ?? '/', dir).startsWith('..');
    return {
      id: idOfName(manifest.name),
      name: manifest.name,
      dir,
      manifest,
      source: builtIn ? 'built-in' : `folder:${dir}`,
      digest: '',
      builtIn,
      isInstalled: false,
      enabled: decided?.enabled ?? true,
      // What it did where it was wished for counts more than the wish.
      placement:
        (decided?.placementReason === undefined ? this.#placement(manifest, builtIn) : undefined) ??
        decided?.placement ??
        (builtIn ? 'in-process' : defaultPlacement),
      ...(decided?.placementReason === undefined ? {} : { placementReason: decided.placementReason }),
      ...secretsApart(manifest, { settings: { ...decided?.settings, ...this.#given(manifest) }, secrets: decided?.secrets ?? {} }),
      collectsOrphans: decided?.collectsOrphans ?? false,
      privileges: privilegesOf(manifest),
      uid: decided?.uid ?? this.#uidOf(manifest.name),
    };
  }

  /** The same at each start without a row, so that files keep their owner. */
  #uidOf(name: string): number {
    return 1_950_000_000 + (Number.parseInt(idOfName(name).slice(0, 7), 16) % 50_000_000);
  }

  #placement({ name, provides, placement = ['process'] }: Manifest, builtIn: boolean): Placement | undefined {
    const { pluginPlacement = {} } = this.#options;
    const wished = pluginPlacement[name] ?? provides.map(({ contract }) => pluginPlacement[contract]).find((each) => each !== undefined);
    return wished !== undefined && (placement.includes(wished) || (builtIn && wished === 'in-process')) ? wished : undefined;
  }

  #given(manifest: Manifest): Readonly<Record<string, unknown>> {
    const { pluginSettings = {}, kindSettings = {} } = this.#options;
    const ofKinds: object[] = manifest.provides.map(({ contract }) => settingsFor(manifest, kindSettings[contract] ?? {}));
    return Object.assign({}, ...ofKinds, pluginSettings[manifest.name]) as Readonly<Record<string, unknown>>;
  }
}

type Kept = Pick<PluginRecord, 'id' | 'name' | 'uid'>;
const keptKey = (manifestName: string): string => `kept/${manifestName}`;

/** Where a plugin's code runs unless the user says otherwise. A thread of the engine's process is the engine's process: no manifest chooses it. */
export const defaultPlacement = 'process' satisfies Placement;
