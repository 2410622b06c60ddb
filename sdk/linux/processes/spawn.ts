import { closeSync, constants } from 'node:fs';
import { declare, hasFunction, type Pointer } from '../calls.ts';
import { checked, errnoError } from '../errno.ts';
import { cPath } from '../path.ts';

export interface SpawnOptions {
  /** The program; without a slash it is looked for in this process's PATH. */
  readonly file: string;
  /** All arguments, the program's own name first. */
  readonly argv: readonly string[];
  /** The child's whole environment; ours by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What becomes the child's descriptor 0, 1, 2, …; `null` is /dev/null. Nothing else is inherited (glibc 2.34; before, only what is not close-on-exec). */
  readonly stdio?: readonly (number | null)[];
  readonly cwd?: string;
  /** A session of its own: no signal meant for our terminal reaches it. */
  readonly setsid?: boolean;
}

/**
 * Starts a program by posix_spawn(3), which unlike fork does not copy our page tables: its cost does not grow with our memory.
 * Signals are unblocked and back to their defaults in the child. Answers the pid, which stays ours until `waitpid` has reaped it: whoever spawns must reap.
 * Throws the errno of the failed step, e.g. ENOENT for the program; nothing runs then.
 */
export function posixSpawn({ file, argv, env = process.env, stdio = [null, null, null], cwd, setsid = false }: SpawnOptions): number {
  const moved: number[] = [];
  const actions = Buffer.alloc(256);
  const attributes = Buffer.alloc(512);
  callActionsInit(actions);
  callAttributesInit(attributes);
  try {
    if (cwd !== undefined) step(callAddChdir(actions, cPath(cwd)), 'chdir', cwd);
    wireDescriptors(actions, stdio, moved);
    wireAttributes(attributes, setsid);
    const pid = new Int32Array(1);
    step(callSpawn(pid, cPath(file), actions, attributes, texts(argv), environment(env)), 'posix_spawn', file);
    return pid[0] ?? 0;
  } finally {
    callActionsDestroy(actions);
    callAttributesDestroy(attributes);
    for (const descriptor of moved) closeSync(descriptor);
  }
}

function wireDescriptors(actions: Buffer, stdio: readonly (number | null)[], moved: number[]): void {
  for (const [target, source] of stdio.entries()) {
    if (source === null) step(callAddOpen(actions, target, '/dev/null', constants.O_RDWR, 0), 'posix_spawn');
    else step(callAddDup2(actions, outOfTheWay(source, target, stdio.length, moved), target), 'posix_spawn');
  }
  canCloseFrom ??= hasFunction('posix_spawn_file_actions_addclosefrom_np');
  if (canCloseFrom) step(callAddCloseFrom(actions, stdio.length), 'posix_spawn');
}

/** A source that an earlier step would overwrite in the child is copied above all targets first. */
function outOfTheWay(source: number, target: number, count: number, moved: number[]): number {
  if (source >= count || source === target) return source;
  const copy = checked(callFcntl(source, duplicateCloseOnExec, count), 'fcntl');
  moved.push(copy);
  return copy;
}

function wireAttributes(attributes: Buffer, setsid: boolean): void {
  callSetSigmask(attributes, noSignals);
  callSetSigdefault(attributes, allSignals);
  callSetFlags(attributes, 0x04 /* SETSIGDEF */ | 0x08 /* SETSIGMASK */ | (setsid ? 0x80 : 0));
}

function environment(env: Readonly<Record<string, string | undefined>>): readonly (string | null)[] {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(env)) if (value !== undefined) pairs.push(`${name}=${value}`);
  return texts(pairs);
}

function texts(values: readonly string[]): readonly (string | null)[] {
  for (const value of values) cPath(value);
  return [...values, null];
}

/** posix_spawn and its helpers answer the errno. */
function step(result: number, syscall: string, path?: string): void {
  if (result !== 0) throw errnoError(syscall, { path, errno: result });
}

let canCloseFrom: boolean | undefined;
const duplicateCloseOnExec = 1030;
const noSignals = Buffer.alloc(128);
const allSignals = Buffer.alloc(128, 0xff);

type OnBuffer = (buffer: Buffer) => number;
const callActionsInit = declare<OnBuffer>('posix_spawn_file_actions_init', 'int', ['void *']);
const callActionsDestroy = declare<OnBuffer>('posix_spawn_file_actions_destroy', 'int', ['void *']);
const callAttributesInit = declare<OnBuffer>('posix_spawnattr_init', 'int', ['void *']);
const callAttributesDestroy = declare<OnBuffer>('posix_spawnattr_destroy', 'int', ['void *']);
const callSetSigmask = declare<(attributes: Buffer, set: Buffer) => number>('posix_spawnattr_setsigmask', 'int', ['void *', 'void *']);
const callSetSigdefault = declare<(attributes: Buffer, set: Buffer) => number>('posix_spawnattr_setsigdefault', 'int', [
  'void *',
  'void *',
]);
const callSetFlags = declare<(attributes: Buffer, flags: number) => number>('posix_spawnattr_setflags', 'int', ['void *', 'short']);
const callAddChdir = declare<(actions: Buffer, path: Pointer) => number>('posix_spawn_file_actions_addchdir_np', 'int', ['void *', 'str']);
const callAddDup2 = declare<(actions: Buffer, source: number, target: number) => number>('posix_spawn_file_actions_adddup2', 'int', [
  'void *',
  'int',
  'int',
]);
const callAddOpen = declare<(actions: Buffer, target: number, path: string, flags: number, mode: number) => number>(
  'posix_spawn_file_actions_addopen',
  'int',
  ['void *', 'int', 'str', 'int', 'uint'],
);
const callAddCloseFrom = declare<(actions: Buffer, from: number) => number>('posix_spawn_file_actions_addclosefrom_np', 'int', [
  'void *',
  'int',
]);
const callFcntl = declare<(file: number, command: number, value: number) => number>('fcntl', 'int', ['int', 'int', 'long']);
const callSpawn = declare<
  (
    pid: Int32Array,
    file: Pointer,
    actions: Buffer,
    attributes: Buffer,
    argv: readonly (string | null)[],
    env: readonly (string | null)[],
  ) => number
>('posix_spawnp', 'int', ['void *', 'str', 'void *', 'void *', 'const char **', 'const char **']);
