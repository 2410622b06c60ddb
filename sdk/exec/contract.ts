/**
 * The exec contract: processes in containers.
 *
 * Vocabulary
 * - *bundle*: a folder with config.json (OCI runtime spec); the rootfs is mounted by the engine before create.
 * - *monitor*: the small process that owns one container's or exec's stdio, waits for it and writes down its exit code. It outlives the
 *   engine and the plugin, so containers do too.
 * - *streams*: where the engine finds a process's output and input: an attach socket (SOCK_SEQPACKET; packets from the monitor start with
 *   one byte, 2 stdout or 3 stderr; packets to it are stdin), a control pipe, and the spool file in CRI log format.
 * - *exit record*: the file that the monitor writes when the process ended; it is there after any crash of the engine.
 *
 * Scenarios
 * - create: the container's init exists and waits; start lets it run the user's program, whose output reaches all who attached before. create again for the same id and bundle: the
 *   same answer. A failure leaves nothing behind.
 * - exec: a further process in a running container, with streams and a monitor of its own; execStart lets it run once somebody listens.
 * - watch: exits as they happen; with `after` 0 first those that happened while nobody watched.
 * - delete removes the runtime's state of a stopped container; of an unknown one it succeeds; of a running one `conflict` unless `force`.
 *
 * Start failures carry a `reason`: `COMMAND_NOT_FOUND` (127), `COMMAND_NOT_EXECUTABLE` (126), else 128.
 */
import type { ContractMethods, Ctx } from '../types/index.ts';

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
}
export interface CreateResponse {
  /** Host pid of the container's init or of the exec'd process. */
  readonly pid: number;
  readonly monitorPid: number;
  readonly streams: Streams;
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
export interface SignalRequest extends ProcessId {
  readonly signal: number;
  /** Every process of the container, not only its init. */
  readonly all?: boolean;
}
export interface State {
  readonly status: 'created' | 'running' | 'paused' | 'stopped' | 'unknown';
  readonly pid: number;
  readonly exitCode?: number;
  readonly exitedAt?: Date;
  readonly oomKilled?: boolean;
}
export interface ExitEvent extends ProcessId {
  readonly exitCode: number;
  readonly exitedAt: Date;
  readonly oomKilled: boolean;
}
/** One reading of the container's cgroup; fields that the kernel does not give are absent. Bytes, nanoseconds, counts. */
export interface Stats {
  readonly readAt: Date;
  readonly cgroupVersion: 1 | 2;
  readonly cpu: {
    readonly totalNs: number;
    readonly userNs: number;
    readonly systemNs: number;
    readonly perCpuNs?: readonly number[];
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
  };
  readonly memory: {
    readonly usageBytes: number;
    readonly maxUsageBytes?: number;
    readonly limitBytes?: number;
    readonly failCount?: number;
    readonly stat: Readonly<Record<string, number>>;
  };
  readonly pids: { readonly current: number; readonly limit?: number };
  readonly blockIo: readonly {
    readonly major: number;
    readonly minor: number;
    readonly op: string;
    readonly bytes?: number;
    readonly operations?: number;
  }[];
}

export interface ExecDriver {
  readonly features: readonly string[];
  create(request: CreateRequest, ctx: Ctx): Promise<CreateResponse>;
  start(request: { readonly id: string }, ctx: Ctx): Promise<void>;
  signal(request: SignalRequest, ctx: Ctx): Promise<void>;
  delete(request: { readonly id: string; readonly force: boolean }, ctx: Ctx): Promise<void>;
  state(request: ProcessId, ctx: Ctx): Promise<State>;
  watch(request: { readonly after: number }, ctx: Ctx): AsyncIterable<ExitEvent>;
  /** Unless `detached`, the process does not run yet (pid 0): attach first, so that no output is lost, then `execStart`. */
  exec(request: ExecRequest, ctx: Ctx): Promise<CreateResponse>;
  /** Lets a prepared exec run; `conflict` when it is not waiting. */
  execStart(request: ProcessId, ctx: Ctx): Promise<{ readonly pid: number }>;
  /** Forgets an ended exec: its exit record and socket folder. */
  execDelete(request: ProcessId, ctx: Ctx): Promise<void>;
  resize(request: ProcessId & { readonly rows: number; readonly columns: number }, ctx: Ctx): Promise<void>;
  pause(request: { readonly id: string; readonly resume: boolean }, ctx: Ctx): Promise<void>;
  /** `resources` is OCI runtime spec linux.resources. */
  update(request: { readonly id: string; readonly resources: unknown }, ctx: Ctx): Promise<void>;
  stats(request: { readonly id: string }, ctx: Ctx): Promise<Stats>;
  /** Host pids of every process in the container. */
  pids(request: { readonly id: string }, ctx: Ctx): Promise<{ readonly pids: readonly number[] }>;
  /** The runtimes that passed the start-up probe, the first is the default, and the reasons of the others. */
  runtimes(
    request: Record<string, never>,
    ctx: Ctx,
  ): Promise<{
    readonly usable: readonly { readonly name: string; readonly path: string; readonly version: string; readonly warning?: string }[];
    readonly unusable: readonly { readonly name: string; readonly reason: string }[];
    readonly cgroupVersion: 1 | 2;
    readonly cgroupDriver: 'cgroupfs' | 'systemd';
  }>;
}

export const execMethods = {
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
