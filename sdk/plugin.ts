/** What a plugin module exports, and what it is given. */
import type { BuilderDriver } from './builder/index.ts';
import type { ExecDriver } from './exec/index.ts';
import type { Frontend } from './frontend/index.ts';
import type { GraphDriver } from './graph/index.ts';
import type { IpamDriver } from './ipam/index.ts';
import type { LogDriver } from './log/index.ts';
import type { NetworkDriver } from './network/index.ts';
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
  readonly exec: ExecDriver;
  readonly transport: TransportDriver;
  readonly builder: BuilderDriver;
  readonly frontend: Frontend;
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
] as const satisfies readonly DriverKind[];

export type Drivers = { readonly [Kind in DriverKind]?: Readonly<Record<string, DriverKinds[Kind]>> };

/** Durable state of one plugin: small values, compare-and-set, fsynced by the engine before `put` resolves. Keys at most 256 bytes, values 64 KiB. */
export interface StateStore {
  get(key: string): { readonly value: string; readonly revision: number } | undefined;
  /** Fails with `conflict` when `expectedRevision` is given and is not the current one (0: must not exist). Several writes in one call are one transaction. */
  put(
    writes: readonly { readonly key: string; readonly value: string | undefined; readonly expectedRevision?: number }[],
    options?: {
      /** Not synced: a power cut may lose it, a crash of the engine does not. For what a power cut makes meaningless anyway, as addresses of running containers. */
      readonly relaxed?: boolean;
    },
  ): void;
  list(prefix: string): readonly { readonly key: string; readonly value: string; readonly revision: number }[];
}

export interface HostContext {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Persistent, mode 0700, only this plugin's. */
  readonly dataDir: string;
  /** Emptied at boot, mode 0700, only this plugin's. */
  readonly runDir: string;
  readonly state: StateStore;
  readonly log: Logger;
  /** Aborted when the plugin is to stop. */
  readonly signal: AbortSignal;
}

export interface Activation {
  readonly drivers: Drivers;
  deactivate?(): Promise<void>;
}
export interface PluginModule {
  activate(host: HostContext): Promise<Activation>;
}

/** Declares a plugin; a module's default export. Called once per start of the plugin; a failure leaves the plugin `failed` with the error. */
export function definePlugin(module: PluginModule): PluginModule {
  return module;
}
