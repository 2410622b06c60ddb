import { chmodSync, closeSync, constants, fstatSync } from 'node:fs';
import { declare, type Pointer } from '../calls.ts';
import { checked, errnoError } from '../errno.ts';
import { openat2, openPath } from './open.ts';
import { cPath, type Path } from '../path.ts';

/** What node:fs cannot do to names and inodes. All relative to the working directory, none follows a symlink at the end. */

export interface Device {
  readonly major: number;
  readonly minor: number;
}

/** Makes a device, fifo, socket or empty file: mknod(2). `mode` has the type (S_IFCHR, …) and the permissions, which the umask cuts. */
export function mknod(path: Path, mode: number, { major, minor }: Device = { major: 0, minor: 0 }): void {
  const device = ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
  checked(callMknodat(mknodatNumber, atFdcwd, cPath(path), mode, device), 'mknod', path);
}

/** The numbers of a device, from Node's `stat.rdev`. */
export function deviceNumbers(rdev: number | bigint): Device {
  const wide = BigInt(rdev);
  return {
    major: Number(((wide >> 8n) & 0xfffn) | ((wide >> 32n) & ~0xfffn)),
    minor: Number((wide & 0xffn) | ((wide >> 12n) & 0xffffff00n)),
  };
}

export interface Times {
  /** Nanoseconds since 1970, may be negative. Left as it is when undefined. */
  readonly atimeNs?: bigint;
  readonly mtimeNs?: bigint;
}

/** Sets times to the nanosecond, of a path or of an open file: utimensat(2). */
export function setTimes(file: Path | number, { atimeNs, mtimeNs }: Times): void {
  writeTime(0, atimeNs);
  writeTime(2, mtimeNs);
  const result = typeof file === 'number' ? callFutimens(file, times) : callUtimensat(atFdcwd, cPath(file), times, atSymlinkNofollow);
  if (result < 0) throw errnoError('utimensat', typeof file === 'number' ? {} : file);
}

/** RENAME_*: refuse to replace, swap the two, or leave a whiteout behind. */
export const renameFlags = { noreplace: 1, exchange: 2, whiteout: 4 } as const;

/** renameat2(2). With `noreplace` throws EEXIST when the new name is taken. */
export function rename(from: Path, to: Path, flag: keyof typeof renameFlags): void {
  checked(callRenameat2(atFdcwd, cPath(from), atFdcwd, cPath(to), renameFlags[flag]), 'rename', { path: from, dest: to });
}

/** Sets permissions, of no symlink: ENOTSUP for one. fchmodat2(2) where there is one (Linux 6.6), else through an O_PATH descriptor. */
export function chmodNoFollow(path: Path, mode: number): void {
  if (callFchmodat2(452, atFdcwd, cPath(path), mode, atSymlinkNofollow) === 0) return;
  const error = errnoError('fchmodat2', path);
  if (error.code !== 'ENOSYS') throw error;
  const file = openat2(undefined, path, { flags: openPath | constants.O_NOFOLLOW });
  try {
    if (fstatSync(file).isSymbolicLink()) throw errnoError('chmod', { path, errno: 95 });
    chmodSync(`/proc/thread-self/fd/${file}`, mode);
  } finally {
    closeSync(file);
  }
}

const atFdcwd = -100;
const atSymlinkNofollow = 0x100;
const omit = 0x3ffffffen;
const secondNs = 1_000_000_000n;

/** By number: glibc before 2.33 has no such function. */
const mknodatNumber = process.arch === 'x64' ? 259 : 33;

/** Two struct timespec; one for all calls, since none of them waits. */
const times = new BigInt64Array(4);

function writeTime(position: 0 | 2, timeNs: bigint | undefined): void {
  if (timeNs === undefined) {
    times[position] = 0n;
    times[position + 1] = omit;
    return;
  }
  const rest = timeNs % secondNs;
  const before1970 = rest < 0n;
  times[position] = timeNs / secondNs - (before1970 ? 1n : 0n);
  times[position + 1] = before1970 ? rest + secondNs : rest;
}

const callMknodat = declare<(number: number, directory: number, path: Pointer, mode: number, device: number) => number>('syscall', 'long', [
  'long',
  'long',
  'str',
  'long',
  'long',
]);
const callUtimensat = declare<(directory: number, path: Pointer, times: BigInt64Array, flags: number) => number>('utimensat', 'int', [
  'int',
  'str',
  'void *',
  'int',
]);
const callFutimens = declare<(file: number, times: BigInt64Array) => number>('futimens', 'int', ['int', 'void *']);
const callRenameat2 = declare<(from: number, fromPath: Pointer, to: number, toPath: Pointer, flags: number) => number>('renameat2', 'int', [
  'int',
  'str',
  'int',
  'str',
  'uint',
]);
const callFchmodat2 = declare<(number: 452, directory: number, path: Pointer, mode: number, flags: number) => number>('syscall', 'long', [
  'long',
  'long',
  'str',
  'long',
  'long',
]);
