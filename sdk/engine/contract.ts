/**
 * The engine, as front ends, builders and embedders see it. Everything is keyed by what users type: a container or exec by id, unique
 * prefix or name; an image by reference or id. Failures are GantryErrors; nothing half-made stays behind a rejected promise.
 * Whatever can wait takes `{ signal }`: aborting stops the waiting, never undoes what was acknowledged.
 */
import type { FoundRepository, RegistryAuth } from '../transport/index.ts';
import type { Abortable } from '../types/index.ts';
import type { LogTime } from '../log/index.ts';
import type { Builds } from './builds.ts';
import type { Container, Containers, SizeInfo } from './containers.ts';
import type { Execs } from './execs.ts';
import type { Filtered, Filters } from './filters.ts';
import type { Image, Images, OnProgress } from './images.ts';
import type { Networks } from './networks.ts';
import type { Plugins } from './plugins.ts';
import type { VolumeInfo, Volumes } from './volumes.ts';

export type EventType = 'container' | 'image' | 'volume' | 'network' | 'plugin' | 'daemon' | 'builder';
export interface EngineEvent {
  readonly type: EventType;
  /** Docker's actions: create start die … "health_status: healthy", "exec_create: ls". */
  readonly action: string;
  readonly actor: { readonly id: string; readonly attributes: Readonly<Record<string, string>> };
  readonly scope: 'local';
  readonly time: LogTime;
}
export interface Events {
  /**
   * The past (since), then what happens, until `until` or abort. A reader that falls 4,096 events behind is cut off with `exhausted`, which `onBehind` is told
   * at once: it may never come back to ask for more.
   */
  subscribe(
    query: { readonly since?: LogTime; readonly until?: LogTime; readonly onBehind?: (reason: Error) => void } & Filtered & Abortable,
  ): AsyncIterable<EngineEvent>;
}
export interface SystemInfo {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly containers: { readonly total: number; readonly running: number; readonly paused: number; readonly stopped: number };
  readonly images: number;
  readonly graphDriver: string;
  readonly graphStatus: readonly (readonly [string, string])[];
  readonly drivers: Readonly<Record<'volume' | 'network' | 'log' | 'graph' | 'ipam' | 'exec', readonly string[]>>;
  readonly runtimes: readonly { readonly name: string; readonly path: string; readonly version: string }[];
  readonly defaultRuntime: string;
  readonly cgroupVersion: 1 | 2;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  /** What the kernel can limit here. */
  readonly limits: Readonly<
    Record<'memory' | 'swap' | 'cpuPeriod' | 'cpuQuota' | 'cpuShares' | 'cpuset' | 'pids' | 'oomKillDisable', boolean>
  >;
  /** Where devices are described. */
  readonly cdiFolders: readonly string[];
  readonly forwardsIpv4: boolean;
  /** Authz drivers that must allow every request. */
  readonly authorizationPlugins: readonly string[];
  /** The engine logs everything. */
  readonly debug: boolean;
  /** Subnets of networks that name none, when they were set. */
  readonly addressPools: readonly { readonly base: string; readonly size: number }[];
  readonly loggingDriver: string;
  readonly securityOptions: readonly string[];
  readonly warnings: readonly string[];
  readonly labels: readonly string[];
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly osVersion: string;
  readonly architecture: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly eventListeners: number;
  readonly liveRestore: boolean;
  /** Registries spoken to without TLS, the mirrors of Docker Hub, and proxies on the way. */
  readonly registries: {
    readonly insecure: readonly string[];
    readonly mirrors: readonly string[];
    readonly proxies: { readonly http?: string; readonly https?: string; readonly none?: string };
  };
}
export interface DiskUsage {
  /** Of all layers' files, each once. */
  readonly layersSizeBytes: number;
  /** Of the layers on which no container stands. */
  readonly layersReclaimableBytes: number;
  /** Layers as they came, and configs of images: what is saved and pushed. Reclaimable are those of images that no container uses. */
  readonly blobs: { readonly count: number; readonly sizeBytes: number; readonly reclaimableBytes: number };
  readonly images: readonly (Image & { readonly sharedSizeBytes: number; readonly containers: number })[];
  readonly containers: readonly { readonly container: Container; readonly size: SizeInfo }[];
  readonly volumes: readonly VolumeInfo[];
}
export interface DiskUsageOptions extends Abortable {
  /** What to count; the lists of the others are empty. Everything unless given. */
  readonly kinds?: readonly ('image' | 'container' | 'volume')[];
}
/** Something that `System.check` found wrong. */
export interface CheckFinding {
  readonly kind: 'store' | 'blob' | 'layer' | 'snapshot' | 'container' | 'volume';
  readonly id: string;
  /** What is wrong with it, without its name: "is damaged". */
  readonly problem: string;
  /** Images, by name or id, that suffer. */
  readonly usedBy: readonly string[];
  /** What was done about it. */
  readonly repaired?: string;
  /** What to do about it. */
  readonly advice?: string;
}
export interface CheckReport {
  /** How many of each were looked at. */
  readonly checked: Readonly<Record<'blobs' | 'layers' | 'graphDrivers' | 'volumes', number>>;
  readonly findings: readonly CheckFinding[];
}
export interface CheckOptions extends Abortable {
  /** Mend what can be mended without losing anything. */
  readonly repair?: boolean;
  readonly onProgress?: OnProgress;
}
/** How long one kind of action took since the engine was started. */
export interface ActionTimes {
  readonly kind: 'container' | 'image' | 'network';
  /** Docker's word for it: "create", "start", "delete". */
  readonly action: string;
  readonly count: number;
  readonly seconds: number;
  /** How many took at most so long, each with all that are in the ones before it. */
  readonly buckets: readonly { readonly atMostSeconds: number; readonly count: number }[];
}
export interface System {
  /** Of what clients asked for, by kind and action; those that never happened are not there. */
  actions(): readonly ActionTimes[];
  /** Reads all that is stored and holds it against the records. `conflict` while another check runs. */
  check(options?: CheckOptions): Promise<CheckReport>;
  info(): Promise<SystemInfo>;
  version(): Promise<{
    readonly version: string;
    readonly components: readonly { readonly name: string; readonly version: string }[];
    readonly kernelVersion: string;
    readonly buildTime: string;
  }>;
  diskUsage(options?: DiskUsageOptions): Promise<DiskUsage>;
}

export interface Registries {
  /** `unauthorized` when the registry at `serverAddress` (Docker Hub unless given) does not take these credentials. The engine keeps none: each request brings its own. */
  login(auth: RegistryAuth, options?: Abortable): Promise<void>;
  /** Repositories with the term in their name or description; "reg.example:5000/app" searches there, else Docker Hub. Filters: is-official, is-automated, stars. */
  search(
    term: string,
    options?: { readonly limit?: number; readonly filters?: Filters; readonly auth?: RegistryAuth } & Abortable,
  ): Promise<readonly FoundRepository[]>;
}

export interface Engine extends AsyncDisposable {
  readonly containers: Containers;
  readonly execs: Execs;
  readonly images: Images;
  readonly volumes: Volumes;
  readonly networks: Networks;
  readonly events: Events;
  readonly plugins: Plugins;
  readonly registries: Registries;
  readonly builds: Builds;
  readonly system: System;
}
