/** Plugins as users see them: what is installed, what it may do, how it fares, and everything that can be done with it while containers run. */
import type { Manifest } from '../manifest.ts';
import type { DriverKind, Ref } from '../plugin.ts';
import type { RegistryAuth } from '../transport/index.ts';
import type { Abortable } from '../types/index.ts';

/** One thing that a plugin asks for, in the shape of Docker's `GET /plugins/privileges`. */
export interface Privilege {
  readonly name: string;
  readonly description: string;
  readonly value: readonly string[];
}
/**
 * How an enabled plugin fares; the wish (`enabled`) is kept apart, so that a failed start disables nothing.
 * - `discovered`: installed, not started: nobody has asked for one of its drivers;
 * - `starting` `ready` `degraded` (serves, with reasons) `draining` `stopping`: the running generation;
 * - `backoff`: it ended, the next start is timed; `quarantined`: it ended or broke its contract too often, tried again from time to time;
 * - `incompatible`, `misconfigured`: not tried again until version or settings change; `failed`: the folder cannot be read as a plugin;
 * - `disabled`: the user's wish.
 */
export type PluginState =
  | 'discovered'
  | 'starting'
  | 'ready'
  | 'degraded'
  | 'draining'
  | 'stopping'
  | 'backoff'
  | 'quarantined'
  | 'incompatible'
  | 'misconfigured'
  | 'failed'
  | 'disabled';
export type Placement = 'in-process' | 'worker' | 'process' | 'container' | 'external';

/** An object of a plugin's driver that the plugin and the engine do not agree about. */
export interface PluginObject {
  readonly kind: Ref['kind'];
  readonly id: string;
  /** "volume/nfs" */
  readonly driver: string;
  readonly detail?: string;
}
/** What a plugin has and the engine does not know. */
export interface PluginOrphan extends PluginObject {
  /** When the engine first saw it. */
  readonly since: Date;
}
export interface PluginInfo {
  /** 64 hex digits, for ever; built-in ones have the digest of their name. */
  readonly id: string;
  /** What the user calls it: the manifest's name, or the alias or reference it was installed under. */
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** Where it came from: "built-in", "folder:/path", "npm:name@1.2.3", "oci:host/name:tag@sha256:…", "external:unix:///path". */
  readonly source: string;
  readonly builtIn: boolean;
  readonly placement: Placement;
  /** Why it runs there, when the engine chose that and no user. */
  readonly placementReason?: string;
  readonly enabled: boolean;
  readonly state: PluginState;
  /** Why it is in this state, when there is something to say: the last line for people. */
  readonly error?: string;
  /** What to do about it. */
  readonly hint?: string;
  readonly provides: readonly { readonly contract: string; readonly drivers: readonly string[]; readonly features: readonly string[] }[];
  /** Drivers ("volume/nfs") that another plugin serves, although this one has them too: `gantry plugin bind` changes it. */
  readonly shadowed: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
  /** Names of the settings that are set and never shown. */
  readonly secrets: readonly string[];
  readonly privileges: readonly Privilege[];
  /** Counts the starts; absent when it was never started. */
  readonly generation?: number;
  readonly pid?: number;
  readonly startedInMs?: number;
  readonly startedAt?: Date;
  readonly restarts: number;
  /** The version that `rollback` would bring back. */
  readonly previousVersion?: string;
  /** What the engine believes in and is not there, as its plugin said or as was found when it was to be used; absent: nothing. */
  readonly missing?: readonly PluginObject[];
  /** Absent: none. `gantry plugin gc` deletes them. */
  readonly orphans?: readonly PluginOrphan[];
  /** Orphans are deleted by themselves a day after they were first seen. */
  readonly collectsOrphans?: boolean;
  /** The end of what it printed. */
  readonly output: readonly string[];
  /** config.json of a Docker managed plugin, its fields in the case in which Docker shows them. */
  readonly dockerConfig?: unknown;
}
export interface CollectedOrphans {
  readonly deleted: readonly PluginOrphan[];
  readonly kept: readonly (PluginOrphan & { readonly reason: string })[];
}
/** Who would miss a plugin. `hard`: cannot go on without it (its mount was made by the driver, or its processes are the plugin's). */
export interface PluginUser {
  readonly kind: 'container' | 'volume' | 'network' | 'layer' | 'image';
  readonly id: string;
  readonly name: string;
  /** "volume/nfs" */
  readonly driver: string;
  readonly hard: boolean;
}
/** The reason of the `conflict` with which `disable` and `remove` refuse because of users; front ends then list them. */
export const pluginInUse = 'PLUGIN_IN_USE';

/** What a source holds, before anything of it runs. */
export interface PluginOffer {
  readonly source: string;
  readonly digest: string;
  readonly manifest: Manifest;
  readonly privileges: readonly Privilege[];
  /** Against what an installed plugin was granted; with `upgradeOf`. Only what was added needs a user's yes. */
  readonly change?: { readonly added: readonly Privilege[]; readonly dropped: readonly Privilege[] };
}
export interface PluginProgress {
  /** A blob's short digest, or a step's name. */
  readonly id: string;
  readonly status: string;
  readonly current?: number;
  readonly total?: number;
}
interface Fetching extends Abortable {
  readonly auth?: RegistryAuth | undefined;
  readonly onProgress?: ((progress: PluginProgress) => void) | undefined;
}
export interface InstallRequest {
  /** "folder:/path" or an absolute path, "npm:name@version", a path to a .tgz, "oci:reference" or a bare reference. */
  readonly source: string;
  /** Another name than the manifest's. */
  readonly alias?: string;
  /** What the user agreed to, which must be exactly what the plugin asks for; `all`: whatever it asks for. */
  readonly grant: readonly Privilege[] | 'all';
  readonly enable: boolean;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly placement?: Placement;
}
export const packFormats = ['npm', 'oci', 'docker'] as const;
export type PackFormat = (typeof packFormats)[number];
export interface PluginLine {
  readonly time: Date;
  readonly source: 'stdout' | 'stderr' | 'engine';
  readonly line: string;
}

/** A plugin is named by its name, alias, id, or a unique beginning of the id; `not_found` otherwise. Failures leave the plugin as it was. */
export interface Plugins {
  list(): readonly PluginInfo[];
  inspect(name: string): PluginInfo;
  /** Fetches no more than the manifest; what `docker plugin install` shows before it asks. */
  offer(source: string, options?: { readonly upgradeOf?: string | undefined } & Fetching): Promise<PluginOffer>;
  /** `conflict` when the name is taken, `invalid_argument` when `grant` is not what the plugin asks for. */
  install(request: InstallRequest, options?: Fetching): Promise<PluginInfo>;
  /** From a tar of Docker's layout (config.json, rootfs/) or of ours (gantry-plugin.json, …); stays disabled. */
  create(name: string, archive: AsyncIterable<Buffer>, options?: Abortable): Promise<PluginInfo>;
  /** A folder, sent as a tar, in the form in which others take it: npm's .tgz, a tar of an OCI layout, or a tar of Docker's layout. Nothing is installed. */
  pack(archive: AsyncIterable<Buffer>, options: { readonly format: PackFormat } & Abortable): Promise<AsyncIterable<Buffer>>;
  push(name: string, options?: Fetching): Promise<{ readonly reference: string; readonly digest: string; readonly size: number }>;
  /** Records the wish first, then starts: a failed start rejects and leaves the plugin enabled, to be tried again. */
  enable(name: string, options?: { readonly timeoutMs?: number } & Abortable): Promise<void>;
  /** `conflict` with the list of hard users, unless forced. Soft users go on with what they have. */
  disable(name: string, options?: { readonly force?: boolean }): Promise<void>;
  /** Checked against the settings' schema, all or nothing. A running plugin takes them live, or by a new generation. `undefined` values go back to the default. */
  set(name: string, settings: Readonly<Record<string, unknown>>): Promise<void>;
  /**
   * A new generation beside the old one, switched to when it is proven, back by itself when it fails within the probation. Same name, new version.
   * `grant` is at least what the new version asks for beyond what the old one was granted (none, when it asks for less), at most all that it asks for.
   */
  upgrade(
    name: string,
    request: { readonly source: string; readonly grant: InstallRequest['grant'] },
    options?: Fetching,
  ): Promise<PluginInfo>;
  /** The version before the last upgrade, with the state it had then if its format has changed since. `conflict` when there is none. */
  rollback(name: string): Promise<PluginInfo>;
  /** `conflict` with the users while objects of its drivers exist, unless forced: those stay, usable again after a new install. */
  remove(name: string, options?: { readonly force?: boolean }): Promise<void>;
  users(name: string): readonly PluginUser[];
  /**
   * Asks the plugin what it has and deletes what nobody knows of and was first seen a day ago; with `all`, also what was seen just now, except
   * snapshots, which an image may be about to need. `dryRun` deletes nothing. An orphan that cannot be deleted is kept, with the reason.
   */
  collectOrphans(name: string, options?: { readonly all?: boolean; readonly dryRun?: boolean } & Abortable): Promise<CollectedOrphans>;
  /** Whether orphans are deleted by themselves, a day after they were first seen: they may be somebody's data, so not unless a user says so. */
  collectOrphansAlways(name: string, always: boolean): Promise<void>;
  /** One method of one driver, by hand. `dryRun`: nothing is executed of what the driver describes; methods that change something are refused unless it is false. */
  call(request: {
    readonly kind: DriverKind;
    readonly driver: string;
    readonly method: string;
    readonly request: unknown;
    readonly dryRun: boolean;
  }): Promise<unknown>;
  logs(name: string, options?: { readonly tail?: number; readonly follow?: boolean } & Abortable): AsyncIterable<PluginLine>;
  /** Which plugin serves a driver name that several have. */
  bind(kind: DriverKind, driver: string, plugin: string): Promise<void>;
  /** The driver that new objects get from now on when nobody names one; kept. What exists stays with its driver. It is tried first: `unavailable` says why it does not work here. */
  prefer(kind: DriverKind, driver: string): Promise<void>;
  /** A plugin that somebody else runs, at a unix socket. */
  attach(request: {
    readonly address: string;
    readonly token?: string;
    readonly manifest?: Manifest;
    readonly alias?: string;
  }): Promise<PluginInfo>;
}
