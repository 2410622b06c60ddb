import { open } from 'node:fs/promises';
import { constants } from 'node:os';
import { declare, declareAside, errno } from '../calls.ts';
import { checked, errnoError } from '../errno.ts';

/** Work on the data of open files that node:fs lacks. */

/** Copies inside the kernel, sharing blocks where the file system can: copy_file_range(2), from and to the current positions. Answers the bytes copied, 0 at the end. */
export function copyFileRange(from: number, to: number, lengthBytes: number): number {
  return checked(callCopyFileRange(from, null, to, null, lengthBytes, 0), 'copy_file_range');
}

/** Makes `to` a clone of `from` that shares its blocks: ioctl_ficlone(2). False where the file systems cannot (ENOTSUP, EXDEV, EINVAL, ENOTTY). */
export function ficlone(from: number, to: number): boolean {
  if (callIoctl(to, 0x40049409, from) === 0) return true;
  const { EOPNOTSUPP, EXDEV, EINVAL, ENOTTY } = constants.errno;
  if ([EOPNOTSUPP, EXDEV, EINVAL, ENOTTY].includes(errno())) return false;
  throw errnoError('ioctl FICLONE');
}

/** Writes a whole file system's dirty data to its disk: syncfs(2). Blocks. */
export function syncfs(file: number): void {
  checked(callSyncfs(file), 'syncfs');
}

/** The same in Node's thread pool; -1 when it failed, and nobody can say why. */
export const syncfsAside = declareAside<[file: number], number>('syncfs', 'int', ['int']);

/** The same of the file system that a folder or file is on, found by its path. Throws EIO when the disk did not take it. */
export async function syncFileSystem(path: string): Promise<void> {
  await using file = await open(path, 'r');
  if ((await syncfsAside(file.fd)) !== 0) throw errnoError('syncfs', { path, errno: constants.errno.EIO });
}

/** Modes of fallocate(2). */
export const fallocateModes = { allocate: 0, keepSize: 1, punchHole: 3, zeroRange: 0x10 } as const;

/** Reserves, or with `punchHole` gives back, a range. ENOTSUP where the file system cannot. */
export function fallocate(
  file: number,
  mode: keyof typeof fallocateModes,
  range: { readonly offset: number; readonly lengthBytes: number },
): void {
  checked(callFallocate(file, fallocateModes[mode], range.offset, range.lengthBytes), 'fallocate');
}

/** Takes (or with `unlock` gives back) the lock of an open file without waiting: flock(2). False when somebody else has it. It goes with the last copy of the descriptor. */
export function flock(file: number, kind: 'exclusive' | 'shared' | 'unlock'): boolean {
  if (callFlock(file, lockNumbers[kind] | 4) === 0) return true;
  if (errno() === constants.errno.EAGAIN) return false;
  throw errnoError('flock');
}

/** Where the next data (or the next hole) of a sparse file begins, from an offset on: lseek(2). Undefined after the last data. */
export function seekTo(kind: 'data' | 'hole', file: number, offset: number): number | undefined {
  const result = callLseek(file, offset, kind === 'data' ? 3 : 4);
  if (result >= 0) return result;
  if (errno() === constants.errno.ENXIO) return undefined;
  throw errnoError('lseek');
}

/** `type` of Node's statfs for the file systems that matter here (linux/magic.h). */
export const fileSystemMagic = {
  btrfs: 0x9123683e,
  cgroup2: 0x63677270,
  ext4: 0xef53,
  fuse: 0x65735546,
  nfs: 0x6969,
  nsfs: 0x6e736673,
  overlay: 0x794c7630,
  proc: 0x9fa0,
  tmpfs: 0x01021994,
  xfs: 0x58465342,
  zfs: 0x2fc12fc1,
} as const;

const lockNumbers = { shared: 1, exclusive: 2, unlock: 8 } as const;

const callCopyFileRange = declare<(from: number, fromAt: null, to: number, toAt: null, lengthBytes: number, flags: number) => number>(
  'copy_file_range',
  'long',
  ['int', 'void *', 'int', 'void *', 'size_t', 'uint'],
);
const callIoctl = declare<(file: number, request: number, value: number) => number>('ioctl', 'int', ['int', 'ulong', 'long']);
const callSyncfs = declare<(file: number) => number>('syncfs', 'int', ['int']);
const callFallocate = declare<(file: number, mode: number, offset: number, lengthBytes: number) => number>('fallocate', 'int', [
  'int',
  'int',
  'int64_t',
  'int64_t',
]);
const callFlock = declare<(file: number, operation: number) => number>('flock', 'int', ['int', 'int']);
const callLseek = declare<(file: number, offset: number, whence: number) => number>('lseek', 'int64_t', ['int', 'int64_t', 'int']);
