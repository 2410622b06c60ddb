import { constants } from 'node:os';
import { declare, errno } from './calls.ts';
import { errnoError } from './errno.ts';

/** Subvolumes of btrfs. An empty one goes by rmdir(2), so that whoever deletes trees deletes them too. */

/** Makes an empty subvolume in an open folder. False where the file system is none of btrfs. */
export function createSubvolume(parent: number, name: string): boolean {
  return tried(parent, 0x5000940e /* BTRFS_IOC_SUBVOL_CREATE */, argument(0n, 8, name), name);
}

/** Makes a subvolume with all that the open one has at this moment, sharing its blocks. False where the source is no subvolume, or the two are not on one btrfs. */
export function snapshotSubvolume(source: number, parent: number, name: string): boolean {
  return tried(parent, 0x50009417 /* BTRFS_IOC_SNAP_CREATE_V2 */, argument(BigInt(source), 56, name), name);
}

/** struct btrfs_ioctl_vol_args, and _v2, whose name comes later. */
function argument(descriptor: bigint, nameAt: number, name: string): Buffer {
  const bytes = Buffer.alloc(4096);
  bytes.writeBigInt64LE(descriptor, 0);
  bytes.write(name, nameAt, 255);
  return bytes;
}

function tried(parent: number, request: number, given: Buffer, name: string): boolean {
  if (callIoctl(parent, request, given) === 0) return true;
  const { ENOTTY, EINVAL, EXDEV, EOPNOTSUPP } = constants.errno;
  if ([ENOTTY, EINVAL, EXDEV, EOPNOTSUPP].includes(errno())) return false;
  throw errnoError('ioctl', name);
}

const callIoctl = declare<(file: number, request: number, data: Buffer) => number>('ioctl', 'int', ['int', 'ulong', 'void *']);
