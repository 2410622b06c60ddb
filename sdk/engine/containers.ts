/** Containers: what they are, and what can be asked of them. */
import type { Abortable } from '../types/index.ts';
import type { Stats } from '../exec/index.ts';
import type { LogTime } from '../log/index.ts';
import type { ContainerConfig, EndpointConfig, HostConfig, Resources, RestartPolicy } from './config.ts';
import type { Filtered } from './filters.ts';
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
  /** Why the container does not see it any more: the helper of its mount ended. It does when it is started again. */
  readonly broken?: string;
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
/** "80/tcp" → where it is published; null: exposed only. A host port of 0: opened at the container's own address, and mapped from none. */
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
  /** Where it is cheaper than `data`, the same without the newline, which is to follow when the line was whole. */
  readonly text?: Buffer;
  readonly isWhole?: boolean;
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
  /** Beyond Docker's: published from now on, of a running container at once. All of it happens, or nothing. */
  readonly PublishAdd?: PortMap;
  /** Beyond Docker's: published no longer, before `PublishAdd` counts. A port without bindings stands for all of its bindings. */
  readonly PublishRemove?: PortMap;
}
type PortMap = NonNullable<HostConfig['PortBindings']>;
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
/** What went through one link since it was made, as the container sees it. */
export interface LinkStatistics {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}
export interface StatsReading extends Stats {
  readonly id: string;
  readonly name: string;
  readonly previous?: Stats;
  readonly systemCpuNs: number;
  readonly previousSystemCpuNs: number;
  readonly onlineCpus: number;
  /** By the link's name in the container. */
  readonly networks: Readonly<Record<string, LinkStatistics>>;
}
export interface Containers {
  create(request: CreateContainer): Promise<{ readonly id: string; readonly warnings: readonly string[] }>;
  /** Newest first; never waits for anything. Changes whenever `revision` changes. */
  list(request: ListContainers): readonly Container[];
  inspect(container: string): Container;
  /** Counts every change of any container; equal revisions mean equal lists. */
  readonly revision: number;
  size(container: string): Promise<SizeInfo>;
  /** Of those of a list that are still there. */
  sizes(containers: readonly Container[]): Promise<readonly { readonly container: Container; readonly size: SizeInfo }[]>;
  /** `not_modified` when it runs already. */
  /** Abort takes a start back unless the container's process is being made already. */
  start(container: string, options?: { readonly detachKeys?: string } & Abortable): Promise<void>;
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
