// Made by `npm run generate` of proto/gantry/exec/v1: change it there.
import type { ContractMethods, Ctx } from '../types/index.ts';

export interface DescribeRequest {
  readonly id: string;
  readonly containerName: string;
  readonly labels: Readonly<Record<string, string>>;
  /** OCI runtime spec config.json, as the engine made it of what the user asked for. */
  readonly spec: unknown;
}

export interface DescribeResponse {
  readonly run: ProcessSpec;
}

export type ProcessSpec = ({ readonly kind: 'runtime' } & RuntimeCommand) | ({ readonly kind: 'program' } & Program);

/**
 * An OCI runtime: `PROGRAM ARGUMENTS… create|start|kill|delete|exec|pause|resume|update …`. It runs as root and outside of any sandbox, so the
 * whole of it is what the privilege `runtimes` of the manifest names, word by word.
 */
export interface RuntimeCommand {
  /** Absolute, or a name that the engine looks for in the system's folders. Nobody but root may be able to change it. */
  readonly program: string;
  readonly arguments: readonly string[];
}

/**
 * A program of the host that takes the place of the container's: with the container's user, capabilities, limits and namespaces, in a root of
 * its own with the host's /usr and what else is described, all read-only, and the container's files at /rootfs.
 */
export interface Program {
  /** The first is an absolute path. */
  readonly argv: readonly string[];
  readonly env: readonly string[];
  /** "/" unless given. */
  readonly cwd?: string;
  /** Seen at the same place; covered by the privilege `hostPaths`. */
  readonly hostPaths?: readonly string[];
}

export interface Streams {
  /** SOCK_SEQPACKET unix socket of the monitor. Absent when nobody may attach. */
  readonly attachSocket?: string;
  /** Named pipe: "1 HEIGHT WIDTH\n" resizes the terminal, "2 0 0\n" reopens the spool. */
  readonly control?: string;
  readonly spool?: string;
}

export interface CreateRequest {
  readonly id: string;
  readonly bundle: string;
  /** Folder for the spool file `ctr.log`, made by the engine. */
  readonly spoolDir: string;
  readonly spoolMaxBytes: number;
  readonly tty: boolean;
  readonly openStdin: boolean;
  /** Close stdin for good when the first attached client goes. */
  readonly stdinOnce: boolean;
  readonly runtime?: string;
  readonly systemdCgroup?: boolean;
  /**
   * What another driver described, checked and with an absolute path: the container's runtime instead of one of the driver's own. Only for
   * a driver with the feature `monitor`.
   */
  readonly command?: RuntimeCommand;
}

export interface CreateResponse {
  /** Host pid of the container's init or of the exec'd process. */
  readonly pid: number;
  readonly monitorPid: number;
  readonly streams: Streams;
}

export interface ContainerId {
  readonly id: string;
}

export interface ProcessId {
  readonly id: string;
  readonly execId?: string;
}

export interface ExecRequest {
  readonly id: string;
  readonly execId: string;
  readonly bundle: string;
  /** OCI runtime spec `process`. */
  readonly process: unknown;
  readonly spoolDir: string;
  readonly tty: boolean;
  readonly openStdin: boolean;
  /** Nobody will attach: the process may run at once and its output is thrown away. */
  readonly detached: boolean;
  readonly runtime?: string;
}

export interface ExecStartResponse {
  readonly pid: number;
}

export interface SignalRequest {
  readonly id: string;
  readonly execId?: string;
  readonly signal: number;
  /** Every process of the container, not only its init. */
  readonly all?: boolean;
}

export interface DeleteRequest {
  readonly id: string;
  readonly force: boolean;
}

export interface State {
  readonly status: 'created' | 'running' | 'paused' | 'stopped' | 'unknown';
  readonly pid: number;
  readonly exitCode?: number;
  readonly exitedAt?: Date;
  readonly oomKilled?: boolean;
}

export interface WatchRequest {
  readonly after: number;
}

export interface ExitEvent {
  readonly id: string;
  readonly execId?: string;
  readonly exitCode: number;
  readonly exitedAt: Date;
  readonly oomKilled: boolean;
}

export interface ResizeRequest {
  readonly id: string;
  readonly execId?: string;
  readonly rows: number;
  readonly columns: number;
}

export interface PauseRequest {
  readonly id: string;
  readonly resume: boolean;
}

export interface UpdateRequest {
  readonly id: string;
  readonly resources: unknown;
}

/** One reading of the container's cgroup; fields that the kernel does not give are absent. Bytes, nanoseconds, counts. */
export interface Stats {
  readonly readAt: Date;
  readonly cgroupVersion: number;
  readonly cpu: CpuStats;
  readonly memory: MemoryStats;
  readonly pids: PidsStats;
  readonly blockIo: readonly BlockIoStats[];
}

export interface CpuStats {
  readonly totalNs: number;
  readonly userNs: number;
  readonly systemNs: number;
  readonly perCpuNs?: readonly number[];
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledNs: number;
}

export interface MemoryStats {
  readonly usageBytes: number;
  readonly maxUsageBytes?: number;
  /** As a double: the kernel's "no limit" is above 2^63. */
  readonly limitBytes?: number;
  readonly failCount?: number;
  readonly stat: Readonly<Record<string, number>>;
}

export interface PidsStats {
  readonly current: number;
  readonly limit?: number;
}

export interface BlockIoStats {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly bytes?: number;
  readonly operations?: number;
}

export interface PidsResponse {
  readonly pids: readonly number[];
}

export interface RuntimesResponse {
  readonly usable: readonly UsableRuntime[];
  readonly unusable: readonly UnusableRuntime[];
  readonly cgroupVersion: number;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
}

export interface UsableRuntime {
  readonly name: string;
  readonly path: string;
  readonly version: string;
  readonly warning?: string;
}

export interface UnusableRuntime {
  readonly name: string;
  readonly reason: string;
}

export interface ExecDriver {
  /** `monitor`: it runs what other drivers describe. */
  readonly features: readonly string[];
  /**
   * How a container is to be run, instead of running it: a driver that has this needs no other method. The engine checks the answer against
   * what the plugin was granted and has the exec driver with the feature `monitor` run it; from then on nobody asks the plugin about this
   * container, so that it may end, be upgraded or removed meanwhile.
   */
  describe?(request: DescribeRequest, ctx: Ctx): Promise<DescribeResponse>;
  create(request: CreateRequest, ctx: Ctx): Promise<CreateResponse>;
  start(request: ContainerId, ctx: Ctx): Promise<void>;
  signal(request: SignalRequest, ctx: Ctx): Promise<void>;
  delete(request: DeleteRequest, ctx: Ctx): Promise<void>;
  state(request: ProcessId, ctx: Ctx): Promise<State>;
  watch(request: WatchRequest, ctx: Ctx): AsyncIterable<ExitEvent>;
  /** Unless `detached`, the process does not run yet (pid 0): attach first, so that no output is lost, then `execStart`. */
  exec(request: ExecRequest, ctx: Ctx): Promise<CreateResponse>;
  /** Lets a prepared exec run; `conflict` when it is not waiting. */
  execStart(request: ProcessId, ctx: Ctx): Promise<ExecStartResponse>;
  /** Forgets an ended exec: its exit record and socket folder. */
  execDelete(request: ProcessId, ctx: Ctx): Promise<void>;
  resize(request: ResizeRequest, ctx: Ctx): Promise<void>;
  pause(request: PauseRequest, ctx: Ctx): Promise<void>;
  /** `resources` is OCI runtime spec linux.resources. */
  update(request: UpdateRequest, ctx: Ctx): Promise<void>;
  stats(request: ContainerId, ctx: Ctx): Promise<Stats>;
  /** Host pids of every process in the container. */
  pids(request: ContainerId, ctx: Ctx): Promise<PidsResponse>;
  /** The runtimes that passed the start-up probe, the first is the default, and the reasons of the others. */
  runtimes(request: Record<string, never>, ctx: Ctx): Promise<RuntimesResponse>;
}

export const execMethods = {
  describe: { deadline: 'normal', feature: 'describe', key: 'id' },
  create: { deadline: 'long', key: 'id' },
  start: { deadline: 'normal', key: 'id' },
  signal: { deadline: 'fast' },
  delete: { deadline: 'normal', key: 'id' },
  state: { deadline: 'fast' },
  watch: { deadline: 'stream', answer: 'stream' },
  exec: { deadline: 'normal' },
  execStart: { deadline: 'normal' },
  execDelete: { deadline: 'normal' },
  resize: { deadline: 'fast' },
  pause: { deadline: 'normal' },
  update: { deadline: 'normal' },
  stats: { deadline: 'fast' },
  pids: { deadline: 'fast' },
  runtimes: { deadline: 'normal' },
} as const satisfies Omit<ContractMethods<ExecDriver>, 'features'>;
