/**
 * The engine, as front ends, builders and embedders see it. Everything is keyed by what users type: a container or exec by id, unique
 * prefix or name; an image by reference or id. Failures are GantryErrors; nothing half-made stays behind a rejected promise.
 * Whatever can wait takes `{ signal }`: aborting stops the waiting, never undoes what was acknowledged.
 */
import type { Abortable } from '../types/index.ts';
import type { Stats } from '../exec/index.ts';
import type { LogTime } from '../log/index.ts';
import type {
  ContainerConfig,
  EndpointConfig,
  Healthcheck,
  HostConfig,
  ImageConfig,
  ImageHistory,
  Resources,
  RestartPolicy,
} from './config.ts';

/** What users filter lists and prunes by: a key's values are alternatives, keys are all required. Unknown keys: `invalid_argument` "invalid filter 'x'". */
export type Filters = Readonly<Record<string, readonly string[]>>;
export interface Filtered {
  readonly filters?: Filters;
}

// ── containers ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
export interface CreateContainer {
  /** Without the leading slash; absent: a generated one. */
  readonly name?: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly networks?: Readonly<Record<string, EndpointConfig>>;
  readonly platform?: string;
}
export interface HealthResult {
  readonly start: string;
  readonly end: string;
  readonly exitCode: number;
  readonly output: string;
}
export interface Health {
  readonly status: 'none' | 'starting' | 'healthy' | 'unhealthy';
  readonly failingStreak: number;
  readonly log: readonly HealthResult[];
}
export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
export interface ContainerState {
  readonly status: ContainerStatus;
  readonly running: boolean;
  readonly paused: boolean;
  readonly restarting: boolean;
  readonly oomKilled: boolean;
  readonly dead: boolean;
  /** 0 when not running. */
  readonly pid: number;
  readonly exitCode: number;
  readonly error: string;
  /** RFC 3339 with nanoseconds; "0001-01-01T00:00:00Z" when never. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly health?: Health;
}
export interface MountPoint {
  readonly type: 'bind' | 'volume' | 'tmpfs' | 'image';
  /** The volume's name. */
  readonly name?: string;
  readonly source: string;
  readonly destination: string;
  readonly driver?: string;
  readonly mode: string;
  readonly readOnly: boolean;
  readonly propagation: string;
}
export interface EndpointInfo {
  readonly networkId: string;
  readonly networkName: string;
  readonly endpointId: string;
  readonly config: EndpointConfig;
  readonly gateway: string;
  readonly ipAddress: string;
  readonly ipPrefixLength: number;
  readonly gateway6: string;
  readonly ipAddress6: string;
  readonly ipPrefixLength6: number;
  readonly macAddress: string;
  readonly dnsNames: readonly string[];
}
/** "80/tcp" → where it is published; null: exposed only. */
export type PublishedPorts = Readonly<Record<string, readonly { readonly hostIp: string; readonly hostPort: number }[] | null>>;
export interface Container {
  readonly id: string;
  readonly name: string;
  /** RFC 3339 with nanoseconds. */
  readonly created: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly state: ContainerState;
  readonly imageId: string;
  readonly platform: string;
  readonly graphDriver: string;
  readonly graphData: Readonly<Record<string, string>>;
  readonly restartCount: number;
  readonly execIds: readonly string[];
  readonly mounts: readonly MountPoint[];
  readonly networks: readonly EndpointInfo[];
  readonly ports: PublishedPorts;
  readonly sandboxKey: string;
  readonly paths: { readonly resolvConf: string; readonly hosts: string; readonly hostname: string; readonly log: string };
  readonly appArmorProfile: string;
}
export interface ListContainers extends Filtered {
  /** Also those that do not run. */
  readonly all?: boolean;
  /** The newest N, whatever their state. */
  readonly limit?: number;
}
export interface SizeInfo {
  /** Bytes of the writable layer, and of it with the image. */
  readonly rw: number;
  readonly rootFs: number;
}
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';
export interface Waiting {
  /** Resolves when the waiter is registered: from then no exit is missed. */
  readonly result: Promise<{ readonly exitCode: number; readonly error?: string }>;
}
export interface OutputChunk {
  readonly source: 'stdout' | 'stderr';
  readonly data: Buffer;
}
export interface AttachOptions extends Abortable {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** First what was written so far. */
  readonly logs?: boolean;
  readonly stream: boolean;
  /** e.g. "ctrl-p,ctrl-q"; the sequence in stdin ends the attach and leaves the container. */
  readonly detachKeys?: string;
}
export interface Attached extends AsyncDisposable {
  readonly tty: boolean;
  /** Ends when the process ends, at detach, or at close. */
  readonly output: AsyncIterable<OutputChunk>;
  /** Resolves when taken; respect it for back-pressure. */
  write(data: Buffer): Promise<void>;
  /** End of stdin; output goes on. */
  end(): Promise<void>;
}
export interface LogQuery extends Abortable {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow?: boolean;
  readonly since?: LogTime;
  readonly until?: LogTime;
  readonly tail?: number;
}
export interface LogLine {
  readonly source: 'stdout' | 'stderr';
  readonly time: LogTime;
  /** With its newline when the line was whole. */
  readonly data: Buffer;
}
export interface LogStream {
  readonly tty: boolean;
  readonly attributes: Readonly<Record<string, string>>;
  /** In batches, for throughput. */
  readonly lines: AsyncIterable<readonly LogLine[]>;
}
export interface Change {
  readonly path: string;
  readonly kind: 'modified' | 'added' | 'deleted';
}
export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** Go's os.FileMode bits, as Docker's clients expect. */
  readonly mode: number;
  readonly mtime: string;
  readonly linkTarget: string;
}
export interface TopResult {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}
export interface UpdateContainer extends Resources {
  readonly RestartPolicy?: RestartPolicy;
}
export interface CommitContainer {
  readonly container: string;
  /** Full reference, or absent for a dangling image. */
  readonly reference?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly pause: boolean;
  /** Dockerfile instructions: CMD ENTRYPOINT ENV EXPOSE LABEL ONBUILD USER VOLUME WORKDIR. */
  readonly changes: readonly string[];
  /** Replaces the container's config before the changes. */
  readonly config?: ContainerConfig;
}
export interface PruneResult {
  readonly deleted: readonly string[];
  readonly spaceReclaimed: number;
}
export interface StatsReading extends Stats {
  readonly id: string;
  readonly name: string;
  readonly previous?: Stats;
  readonly systemCpuNs: number;
  readonly previousSystemCpuNs: number;
  readonly onlineCpus: number;
  readonly networks: Readonly<
    Record<
      string,
      {
        readonly rxBytes: number;
        readonly rxPackets: number;
        readonly rxErrors: number;
        readonly rxDropped: number;
        readonly txBytes: number;
        readonly txPackets: number;
        readonly txErrors: number;
        readonly txDropped: number;
      }
    >
  >;
}
export interface Containers {
  create(request: CreateContainer): Promise<{ readonly id: string; readonly warnings: readonly string[] }>;
  /** Newest first; never waits for anything. Changes whenever `revision` changes. */
  list(request: ListContainers): readonly Container[];
  inspect(container: string): Container;
  /** Counts every change of any container; equal revisions mean equal lists. */
  readonly revision: number;
  size(container: string): Promise<SizeInfo>;
  /** `not_modified` when it runs already. */
  start(container: string, options?: { readonly detachKeys?: string }): Promise<void>;
  /** `not_modified` when it does not run. `timeoutSeconds` -1: wait for ever. */
  stop(container: string, options?: { readonly timeoutSeconds?: number; readonly signal?: string }): Promise<void>;
  restart(container: string, options?: { readonly timeoutSeconds?: number; readonly signal?: string }): Promise<void>;
  kill(container: string, options?: { readonly signal?: string }): Promise<void>;
  pause(container: string): Promise<void>;
  unpause(container: string): Promise<void>;
  rename(container: string, name: string): Promise<void>;
  update(container: string, request: UpdateContainer): Promise<{ readonly warnings: readonly string[] }>;
  remove(container: string, options?: { readonly force?: boolean; readonly volumes?: boolean; readonly link?: boolean }): Promise<void>;
  prune(request: Filtered): Promise<PruneResult>;
  wait(container: string, condition: WaitCondition, options?: Abortable): Waiting;
  attach(container: string, options: AttachOptions): Promise<Attached>;
  resize(container: string, size: { readonly rows: number; readonly columns: number }): Promise<void>;
  logs(container: string, query: LogQuery): Promise<LogStream>;
  top(container: string, psArgs?: string): Promise<TopResult>;
  /** One reading now; `previous` is filled when `withPrevious` (after a second). A container that does not run gives undefined. */
  stats(container: string, options: { readonly withPrevious: boolean } & Abortable): Promise<StatsReading | undefined>;
  changes(container: string): Promise<readonly Change[]>;
  /** The merged root file system as one tar. */
  export(container: string, options?: Abortable): Promise<AsyncIterable<Buffer>>;
  statPath(container: string, path: string): Promise<PathStat>;
  getArchive(
    container: string,
    path: string,
    options?: Abortable,
  ): Promise<{ readonly stat: PathStat; readonly tar: AsyncIterable<Buffer> }>;
  putArchive(
    container: string,
    path: string,
    tar: AsyncIterable<Buffer>,
    options: { readonly noOverwriteDirNonDir: boolean; readonly copyUidGid: boolean } & Abortable,
  ): Promise<void>;
  commit(request: CommitContainer): Promise<{ readonly id: string }>;
}

// ── execs ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
export interface ExecConfig {
  readonly cmd: readonly string[];
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly privileged?: boolean;
  readonly tty?: boolean;
  readonly attachStdin?: boolean;
  readonly attachStdout?: boolean;
  readonly attachStderr?: boolean;
  readonly detachKeys?: string;
}
export interface ExecInfo {
  readonly id: string;
  readonly containerId: string;
  readonly config: ExecConfig;
  readonly running: boolean;
  readonly exitCode: number | null;
  readonly pid: number;
  readonly canRemove: boolean;
}
export interface Execs {
  create(container: string, config: ExecConfig): Promise<{ readonly id: string }>;
  /** `attached`: absent when `detach`. Fails with `conflict` on a second start. */
  start(
    exec: string,
    options: {
      readonly detach: boolean;
      readonly tty?: boolean;
      readonly size?: { readonly rows: number; readonly columns: number };
    } & Abortable,
  ): Promise<{ readonly attached?: Attached }>;
  resize(exec: string, size: { readonly rows: number; readonly columns: number }): Promise<void>;
  inspect(exec: string): ExecInfo;
}

// ── images ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
export interface Image {
  /** sha256:… of the config bytes. */
  readonly id: string;
  readonly parent: string;
  /** Familiar references: "busybox:latest". */
  readonly repoTags: readonly string[];
  /** "busybox@sha256:…" */
  readonly repoDigests: readonly string[];
  readonly created: string;
  readonly sizeBytes: number;
  readonly config: ImageConfig;
  readonly chainIds: readonly string[];
  readonly graphDriver: string;
  readonly graphData: Readonly<Record<string, string>>;
  /** When a tag was last set; RFC 3339 or "". */
  readonly lastTagged: string;
  readonly comment: string;
}
export interface HistoryEntry extends ImageHistory {
  readonly id: string;
  readonly tags: readonly string[];
  readonly sizeBytes: number;
}
/** Docker's progress messages (jsonmessage), one per line on the wire. */
export interface Progress {
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly stream?: string;
  readonly aux?: unknown;
}
export type OnProgress = (progress: Progress) => void;
export interface DeletedImage {
  readonly untagged?: string;
  readonly deleted?: string;
}
export interface ImportImage {
  readonly tar: AsyncIterable<Buffer>;
  readonly reference?: string;
  readonly message?: string;
  readonly changes: readonly string[];
  readonly platform?: string;
}
export interface Images {
  list(
    request: Filtered & { readonly all?: boolean; readonly sharedSize?: boolean },
  ): Promise<readonly (Image & { readonly sharedSizeBytes: number; readonly containers: number })[]>;
  inspect(image: string): Image;
  history(image: string): readonly HistoryEntry[];
  tag(image: string, reference: string): Promise<void>;
  remove(image: string, options: { readonly force: boolean; readonly prune: boolean }): Promise<readonly DeletedImage[]>;
  prune(request: Filtered): Promise<{ readonly deleted: readonly DeletedImage[]; readonly spaceReclaimed: number }>;
  /** A docker-archive and OCI layout in one deterministic tar: the same images give the same bytes. */
  save(images: readonly string[], options?: Abortable): Promise<AsyncIterable<Buffer>>;
  /** All the archive's images or none. */
  load(
    tar: AsyncIterable<Buffer>,
    options: { readonly onProgress?: OnProgress } & Abortable,
  ): Promise<readonly { readonly id: string; readonly reference?: string; readonly replaced?: string }[]>;
  import(request: ImportImage & Abortable): Promise<{ readonly id: string }>;
  /** Fails with `not_implemented` while no transport plugin is loaded. */
  pull(
    reference: string,
    options: { readonly platform?: string; readonly auth?: unknown; readonly onProgress?: OnProgress } & Abortable,
  ): Promise<void>;
  push(reference: string, options: { readonly auth?: unknown; readonly onProgress?: OnProgress } & Abortable): Promise<void>;
}

// ── volumes ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
export interface VolumeInfo {
  readonly name: string;
  readonly driver: string;
  readonly mountpoint: string;
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly options: Readonly<Record<string, string>> | null;
  readonly scope: 'local' | 'global';
  readonly status?: Readonly<Record<string, string>>;
  /** Filled by the disk usage report only. */
  readonly usage?: { readonly sizeBytes: number; readonly refCount: number };
}
export interface CreateVolume {
  /** Absent: anonymous, 64 hex digits. */
  readonly name?: string;
  readonly driver?: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}
export interface Volumes {
  create(request: CreateVolume): Promise<VolumeInfo>;
  inspect(name: string): Promise<VolumeInfo>;
  /** Slow or dead drivers cost at most 2 s and a warning. */
  list(request: Filtered): Promise<{ readonly volumes: readonly VolumeInfo[]; readonly warnings: readonly string[] }>;
  remove(name: string, options: { readonly force: boolean }): Promise<void>;
  prune(request: Filtered): Promise<PruneResult>;
}

// ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
export interface IpamSubnet {
  readonly Subnet?: string;
  readonly IPRange?: string;
  readonly Gateway?: string;
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>>;
}
export interface IpamConfig {
  readonly Driver?: string;
  readonly Options?: Readonly<Record<string, string>> | null;
  readonly Config?: readonly IpamSubnet[] | null;
}
export interface NetworkInfo {
  readonly id: string;
  readonly name: string;
  readonly created: string;
  readonly driver: string;
  readonly scope: 'local' | 'global';
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly ipam: IpamConfig;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** By container id; running ones only. */
  readonly containers: Readonly<
    Record<
      string,
      { readonly name: string; readonly endpointId: string; readonly macAddress: string; readonly ipv4: string; readonly ipv6: string }
    >
  >;
}
export interface CreateNetwork {
  readonly name: string;
  readonly driver?: string;
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly ipam?: IpamConfig;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}
export interface Networks {
  create(request: CreateNetwork): Promise<{ readonly id: string; readonly warning: string }>;
  inspect(network: string): NetworkInfo;
  list(request: Filtered): readonly NetworkInfo[];
  connect(network: string, container: string, config: EndpointConfig): Promise<void>;
  disconnect(network: string, container: string, options: { readonly force: boolean }): Promise<void>;
  remove(network: string): Promise<void>;
  prune(request: Filtered): Promise<{ readonly deleted: readonly string[] }>;
}

// ── events, plugins, system ──────────────────────────────────────────────────────────────────────────────────────────────────
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
  /** The past (since), then what happens, until `until` or abort. A reader that falls 4,096 events behind is cut off with `exhausted`. */
  subscribe(query: { readonly since?: LogTime; readonly until?: LogTime } & Filtered & Abortable): AsyncIterable<EngineEvent>;
}
export interface PluginInfo {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly placement: 'in-process' | 'worker' | 'process' | 'external';
  readonly state: 'discovered' | 'ready' | 'failed' | 'disabled';
  readonly provides: readonly { readonly contract: string; readonly drivers: readonly string[]; readonly features: readonly string[] }[];
  readonly error?: string;
  readonly startedInMs?: number;
}
export interface Plugins {
  list(): readonly PluginInfo[];
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
}
export interface DiskUsage {
  readonly layersSizeBytes: number;
  readonly images: readonly (Image & { readonly sharedSizeBytes: number; readonly containers: number })[];
  readonly containers: readonly { readonly container: Container; readonly size: SizeInfo }[];
  readonly volumes: readonly VolumeInfo[];
}
export interface System {
  info(): Promise<SystemInfo>;
  version(): Promise<{
    readonly version: string;
    readonly components: readonly { readonly name: string; readonly version: string }[];
    readonly kernelVersion: string;
    readonly buildTime: string;
  }>;
  diskUsage(options?: Abortable): Promise<DiskUsage>;
}

export interface Engine extends AsyncDisposable {
  readonly containers: Containers;
  readonly execs: Execs;
  readonly images: Images;
  readonly volumes: Volumes;
  readonly networks: Networks;
  readonly events: Events;
  readonly plugins: Plugins;
  readonly system: System;
}

export type { Healthcheck };
