import type { PluginLine } from '@gantry/sdk/engine';
import type { Privileges } from '@gantry/sdk';

/** Something that a plugin with a root of its own sees: a part of the machine, or without `source` an empty tmpfs. */
export interface ContainerMount {
  readonly source?: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** Mounts that the plugin makes below it appear on the machine as well, if it is a shared mount there; and the other way round. */
  readonly propagates: boolean;
}
/** A root file system of its own: then the plugin sees nothing of the machine, and nothing of its folders, but these mounts. */
export interface ContainerRoot {
  /** Never written to. */
  readonly rootDir: string;
  /** What it changes, and overlayfs's own folder, on the same file system, which can be an overlay's upper one. */
  readonly upperDir: string;
  readonly workDir: string;
  readonly mounts: readonly ContainerMount[];
  /** Beside the usual five. */
  readonly devices: readonly string[];
  readonly allDevices: boolean;
  /** /etc/hosts and /etc/resolv.conf as the machine has them. */
  readonly hasMachinesNames: boolean;
  readonly cwd: string;
}

export interface LaunchRequest {
  /** The plugin's name, for messages. */
  readonly name: string;
  /** "<id12>.<generation>": names the cgroup. */
  readonly instance: string;
  /** The program's absolute path first. */
  readonly argv: readonly string[];
  readonly cwd: string;
  /** The whole environment; nothing of the engine's is added. */
  readonly env: Readonly<Record<string, string>>;
  /** Read-only for the plugin, at the same path. */
  readonly codeDir: string;
  /** The plugin's to write, at the same path; owned by `uid`. */
  readonly dataDir: string;
  /** For its sockets, at the same path; owned by `uid`. */
  readonly runDir: string;
  /** Further files and folders that it may read, at the same paths: the node program, the SDK. */
  readonly readablePaths?: readonly string[];
  readonly container?: ContainerRoot;
  /** 0 with the privilege `user: root`. */
  readonly uid: number;
  readonly gid: number;
  readonly privileges: Privileges;
  readonly resources: { readonly memoryBytes: number; readonly pids: number; readonly cpus?: number };
  /** A folder in each cgroup tree; "gantry-plugins" by default. */
  readonly cgroupParent?: string;
  /** What it prints, after the rate limit; and what the engine has to say of it, with the source `engine`. Must not throw. */
  readonly onLine: (line: PluginLine) => void;
}

export interface LaunchExit {
  readonly exitCode?: number;
  readonly signal?: string;
  /** Killed because it, or a process of it, went over its memory. */
  readonly oomKilled: boolean;
}

/** A running plugin process. Disposing of it is `killAll` and the end of its cgroup. */
export interface Launched extends AsyncDisposable {
  /** In the engine's pid namespace; the plugin sees itself under another number. */
  readonly pid: number;
  /** Never rejects. By then the output that was there has been given to `onLine`. */
  readonly exited: Promise<LaunchExit>;
  /** The plugin's cue to drain and end. A second call does nothing. */
  closeStdin(): void;
  /** False when it has ended. */
  signal(signal: NodeJS.Signals): boolean;
  /** Everything it ever started, at once; resolves when nothing of it is left. An unconfined one: the process alone, what it started goes on. */
  killAll(): Promise<void>;
  usage(): { readonly memoryBytes: number; readonly pids: number } | undefined;
}
