/** What a plugin module exports, and what it is given. */
import type { AuthzDriver } from './authz/index.ts';
import type { BuilderDriver } from './builder/index.ts';
import type { DescribingExecDriver, ExecDriver } from './exec/index.ts';
import type { Frontend } from './frontend/index.ts';
import type { GraphDriver } from './graph/index.ts';
import type { IpamDriver } from './ipam/index.ts';
import type { LogDriver } from './log/index.ts';
import type { Manifest } from './manifest.ts';
import type { NetworkDriver } from './network/index.ts';
import type { Check, Problem, Ref, RefState } from './rpc/generated-plugin.ts';
import type { TransportDriver } from './transport/index.ts';
import type { Logger } from './types/index.ts';
import type { VolumeDriver } from './volume/index.ts';

/** Every kind of driver by contract name. */
export interface DriverKinds {
  readonly graph: GraphDriver;
  readonly volume: VolumeDriver;
  readonly log: LogDriver;
  readonly network: NetworkDriver;
  readonly ipam: IpamDriver;
  readonly exec: ExecDriver | DescribingExecDriver;
  readonly transport: TransportDriver;
  readonly builder: BuilderDriver;
  readonly frontend: Frontend;
  readonly authz: AuthzDriver;
}
export type DriverKind = keyof DriverKinds;
export const driverKinds = [
  'graph',
  'volume',
  'log',
  'network',
  'ipam',
  'exec',
  'transport',
  'builder',
  'frontend',
  'authz',
] as const satisfies readonly DriverKind[];

export type Drivers = { readonly [Kind in DriverKind]?: Readonly<Record<string, DriverKinds[Kind]>> };

export interface StateEntry {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}
/** Durable state of one plugin: small values, compare-and-set, fsynced by the engine before `put` resolves. Keys at most 256 bytes, values 64 KiB. */
export interface StateStore {
  get(key: string): Promise<StateEntry | undefined>;
  /** Fails with `conflict` when `expectedRevision` is given and is not the current one (0: must not exist). Several writes in one call are one transaction. */
  put(
    writes: readonly { readonly key: string; readonly value: string | undefined; readonly expectedRevision?: number }[],
    options?: {
      /** Not synced: a power cut may lose it, a crash of the engine does not. For what a power cut makes meaningless anyway, as addresses of running containers. */
      readonly relaxed?: boolean;
    },
  ): Promise<void>;
  list(prefix: string): Promise<readonly StateEntry[]>;
}

/** What the plugin tells of itself, shown by `plugin inspect` and the metrics. */
export interface Report {
  readonly metrics?: Readonly<Record<string, number>>;
  /** Of a long call under way, by its `operationId`: 0 to 1. Keeps its deadline from passing. */
  readonly operationId?: string;
  readonly progress?: number;
  /** Why it works less well than it should; empty: it works well again. */
  readonly degraded?: readonly string[];
}

/** What a running plugin may ask of the engine. Everything is answered from what is recorded, without waiting for any operation. */
export interface HostContext {
  readonly name: string;
  /** Checked against the manifest's `settings`, defaults filled in. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Settings that the manifest marks `x-secret`. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Persistent, mode 0700, only this plugin's; the same absolute path for the plugin and the engine. */
  readonly dataDir: string;
  /** Emptied at boot, mode 0700, only this plugin's. */
  readonly runDir: string;
  readonly state: StateStore;
  readonly log: Logger;
  /** Facts of a container, image, network or volume, by id or name: what the manifest's privileges `host` name, e.g. "lookup:container.labels". */
  lookup(kind: 'container' | 'image' | 'network' | 'volume', id: string): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** Engine events of these types from now on ("container", …), as granted by "subscribe:container". */
  subscribe(topics: readonly string[], options: { readonly signal: AbortSignal }): AsyncIterable<Readonly<Record<string, unknown>>>;
  report(report: Report): Promise<void>;
  /**
   * Deletes what is at a path below `dataDir`, whoever it belongs to: a plugin with a user of its own may not delete what containers wrote into its
   * folders. Nothing there: nothing to do. `forbidden` for what is not below, `conflict` for what something is mounted in. Absent in older engines.
   */
  removeData?(path: string): Promise<void>;
  /** Aborted when the plugin is to stop. */
  readonly signal: AbortSignal;
}

export type { Check, Problem, Ref, RefState } from './rpc/generated-plugin.ts';

export interface Activation {
  readonly drivers: Drivers;
  /** For a manifest that leaves driver names open ("*"): the driver of that name, if this plugin can have it. Asked at each first use; must answer at once. */
  find?(kind: DriverKind, name: string): Promise<object | undefined>;
  /** The names that `find` would answer now. */
  names?(kind: DriverKind): Promise<readonly string[]>;
  /** Takes new settings while it runs; a fatal problem refuses them. Without it, new settings mean a new generation. */
  configure?(config: HostContext['config'], secrets: HostContext['secrets']): Promise<readonly Problem[]>;
  /** Whether it works, in named checks; `deep` may take seconds and touch the back end. */
  selfTest?(options: { readonly deep: boolean }): Promise<readonly Check[]>;
  /** Compares what the engine believes with what is there, at each start of a generation; orphans come after the last ref. */
  reconcile?(refs: AsyncIterable<Ref>): AsyncIterable<RefState>;
  deactivate?(): Promise<void>;
}
export interface PluginModule {
  /** Written in code instead of gantry-plugin.json; when both are there they must agree. */
  readonly manifest?: Manifest;
  activate(host: HostContext): Promise<Activation>;
}

/** Declares a plugin; a module's default export. Called once per generation; a failure leaves the plugin without one, with the error. */
export function definePlugin(module: PluginModule): PluginModule {
  return module;
}
