import { closeSync, constants, openSync } from 'node:fs';
import { declare, type Pointer } from '../calls.ts';
import { checked, errnoError } from '../errno.ts';
import { cPath, type Path } from '../path.ts';

/** How openat2(2) walks a path. `inRoot` treats the folder as `/`, for `..` and absolute symlinks as well; `noMagicLinks` refuses /proc/PID/fd and its like. */
export const resolveFlags = { noXdev: 1, noMagicLinks: 2, noSymlinks: 4, beneath: 8, inRoot: 0x10, cached: 0x20 } as const;

/** O_PATH, which node:fs does not name. */
export const openPath = 0o10000000;

export interface OpenOptions {
  /** O_* of `node:fs` constants, or `openPath`; O_CLOEXEC is always added. Read-only by default. */
  readonly flags?: number;
  /** For a file that this call makes. */
  readonly mode?: number;
  /** A sum of `resolveFlags`. */
  readonly resolve?: number;
}

/** openat2(2), Linux 5.6: a descriptor for node:fs. Relative to an open folder, or to the working directory with `undefined`. Unlike open(2) it refuses unknown flags. */
export function openat2(directory: number | undefined, path: Path, { flags = 0, mode = 0, resolve = 0 }: OpenOptions = {}): number {
  how[0] = BigInt(flags | closeOnExec);
  how[1] = (flags & (constants.O_CREAT | temporaryBit)) === 0 ? 0n : BigInt(mode || 0o666);
  how[2] = BigInt(resolve);
  const terminated = cPath(path);
  for (let attempt = 1; ; attempt++) {
    const result = callOpenat2(437, directory ?? atFdcwd, terminated, how, 24);
    if (result >= 0) return result;
    const error = errnoError('openat2', path);
    // The kernel gives up a bounded walk when something was renamed or mounted meanwhile.
    if (error.code !== 'EAGAIN' || attempt === 64 || (resolve & resolveFlags.cached) !== 0) throw error;
  }
}

/**
 * Opens a path as a process would whose root is `root` (a path, or a descriptor, which is cheaper): symlinks and `..` cannot lead out, magic links are refused (ELOOP).
 * Any path may come from anybody.
 */
export function openInRoot(
  root: string | number,
  path: Path,
  { flags = constants.O_RDONLY, mode = 0 }: Omit<OpenOptions, 'resolve'> = {},
): number {
  const directory = typeof root === 'number' ? root : openSync(root, openPath | constants.O_DIRECTORY);
  try {
    return openat2(directory, path, { flags, mode, resolve: resolveFlags.inRoot | resolveFlags.noMagicLinks });
  } finally {
    if (directory !== root) closeSync(directory);
  }
}

/** A file without a name in this folder's file system (O_TMPFILE), gone when closed unless `publishFile` names it. Throws ENOTSUP where the file system cannot. */
export function openUnnamed(folder: string, mode = 0o600): number {
  return openSync(folder, constants.O_RDWR | temporaryBit | constants.O_DIRECTORY, mode);
}

/** Gives an unnamed file its name: it appears whole or not at all. Throws EEXIST when the name is taken. */
export function publishFile(file: number, path: Path): void {
  const terminated = cPath(path);
  if (callLinkat(file, '', atFdcwd, terminated, atEmptyPath) === 0) return;
  const error = errnoError('linkat', path);
  // Naming an empty path needs a capability (CAP_DAC_READ_SEARCH); going through /proc does not.
  if (error.code !== 'ENOENT' && error.code !== 'EPERM') throw error;
  if (callLinkat(atFdcwd, `/proc/self/fd/${file}`, atFdcwd, terminated, atSymlinkFollow) !== 0) throw errnoError('linkat', path);
}

/** close(2) of what `openat2` gave: in a worker Node warns of descriptors that it closes and did not open. */
export function closeOpened(file: number): void {
  if (callClose(file) !== 0) throw errnoError('close');
}

/** A file in memory: memfd_create(2), close-on-exec. `name` is for humans, in /proc/PID/fd. One that is `sealable` can be given to `sealFile`. */
export function memfdCreate(name: string, { sealable = false }: { readonly sealable?: boolean } = {}): number {
  const result = callMemfdCreate(cPath(name), sealable ? 3 : 1);
  if (result < 0) throw errnoError('memfd_create', name);
  return result;
}

/** Nobody can write, grow, shrink or unseal the file any more: F_ADD_SEALS of fcntl(2). */
export function sealFile(file: number): void {
  checked(callFcntl(file, 1033, 0xf), 'fcntl F_ADD_SEALS');
}

const atFdcwd = -100;
const atEmptyPath = 0x1000;
const atSymlinkFollow = 0x400;
const closeOnExec = 0o2000000;
const temporaryBit = 0o20000000;

/** struct open_how; one for all calls, since none of them waits. */
const how = new BigUint64Array(3);

const callOpenat2 = declare<(number: 437, directory: number, path: Pointer, how: BigUint64Array, sizeBytes: number) => number>(
  'syscall',
  'long',
  ['long', 'long', 'str', 'void *', 'size_t'],
);
const callLinkat = declare<(from: number, fromPath: Pointer, to: number, toPath: Pointer, flags: number) => number>('linkat', 'int', [
  'int',
  'str',
  'int',
  'str',
  'int',
]);
const callClose = declare<(file: number) => number>('close', 'int', ['int']);
const callFcntl = declare<(file: number, command: number, value: number) => number>('fcntl', 'int', ['int', 'int', 'int']);
const callMemfdCreate = declare<(name: Pointer, flags: number) => number>('memfd_create', 'int', ['str', 'uint']);
