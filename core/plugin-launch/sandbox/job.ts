import type { ErrorCode } from '@gantry/sdk';
import type { ContainerRoot } from '../types.ts';

/** Something of the machine that the plugin sees, at the same path. */
export interface Shown {
  readonly path: string;
  readonly access: 'read' | 'write' | 'device';
  /** Mounts that the plugin makes below it appear on the machine as well, if it is a shared mount there. */
  readonly propagates?: boolean;
}

/** A detached mount, by its descriptor, and where the program sees it. */
export interface Place {
  readonly path: string;
  readonly tree: number;
}
/** A file that is nowhere but in the sandbox's memory, the program's user's to read. */
export interface SecretFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** What the thread that builds a sandbox is told. Descriptors are those of the process, which threads share; the asker opens and closes them. */
export interface SandboxJob {
  readonly name: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Its descriptors from 0 on. */
  readonly stdio: readonly number[];
  /** The reading end that the sandbox's first process holds: when whoever has the writing ends has gone, so will the sandbox, after a while. */
  readonly leash: number;
  /** So long after that whatever still runs is killed; absent: never, it has to end by itself. */
  readonly patienceSeconds: number | undefined;
  readonly shown: readonly Shown[];
  readonly places: readonly Place[];
  readonly files: readonly SecretFile[];
  readonly container?: ContainerRoot | undefined;
  readonly hasOwnNetwork: boolean;
  readonly hasOwnIpc: boolean;
  /** Without its own, what it forks ends by its cgroup alone, which `instance` names. */
  readonly hasOwnPids: boolean;
  readonly instance: string;
  readonly uid: number;
  readonly gid: number;
  readonly capabilities: readonly number[];
  /** struct sock_filter, many of them. */
  readonly filter: Uint8Array;
  /** cgroup v1, where a thread can change its own group: files to write to before the first process is started, and to come back. */
  readonly joins: readonly string[];
  readonly leaves: readonly string[];
  /** cgroup v2, where it cannot: the program waits for a line on its stdin, until the asker has moved it. */
  readonly isGated: boolean;
  /** Two numbers, written as soon as they are known: whatever happens to the thread, its processes are not lost. */
  readonly pids: SharedArrayBuffer;
}

/** Places in `pids`. */
export const pidCells = { init: 0, program: 1 } as const;

export type SandboxReply =
  | { readonly kind: 'started' }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly hint: string | undefined };
