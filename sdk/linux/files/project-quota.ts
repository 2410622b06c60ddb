import { constants } from 'node:os';
import { declare, errno } from '../calls.ts';
import { checked, errnoError } from '../errno.ts';

/** Project quotas: limits for all files that carry a number, which files in a folder inherit (xfs_quota(8), ext4's feature `project`). */

/** Whether the file system of an open file keeps to such limits, only counts, or knows none: quotactl(2) Q_XGETQSTAT. */
export function projectQuotaState(file: number): 'enforced' | 'counted' | 'none' {
  if (callQuotactlFd(quotactlFd, file, command(0x5805), 0, scratch) < 0) {
    const { ENOSYS, ESRCH, EINVAL, EOPNOTSUPP, ENOTTY } = constants.errno;
    if ([ENOSYS, ESRCH, EINVAL, EOPNOTSUPP, ENOTTY].includes(errno())) return 'none';
    throw errnoError('quotactl_fd');
  }
  const flags = scratch.readUInt16LE(2);
  if ((flags & 0x20) !== 0) return 'enforced';
  return (flags & 0x10) === 0 ? 'none' : 'counted';
}

/** The number that an open file carries; 0: none. Throws ENOTTY or ENOTSUP where the file system has no such numbers. */
export function projectOf(file: number): number {
  checked(callIoctl(file, getAttributes, scratch), 'ioctl FS_IOC_FSGETXATTR');
  return scratch.readUInt32LE(12);
}

/** Gives an open folder a number, which everything that is made in it from now on inherits. */
export function setProject(folder: number, project: number): void {
  checked(callIoctl(folder, getAttributes, scratch), 'ioctl FS_IOC_FSGETXATTR');
  scratch.writeUInt32LE((scratch.readUInt32LE(0) | inheritFlag) >>> 0, 0);
  scratch.writeUInt32LE(project, 12);
  checked(callIoctl(folder, setAttributes, scratch), 'ioctl FS_IOC_FSSETXATTR');
}

export interface ProjectUse {
  /** 0: no limit. */
  readonly limitBytes: number;
  readonly usedBytes: number;
  readonly inodes: number;
}

/** What a project may have and has, on the file system of an open file: quotactl(2) Q_GETQUOTA. */
export function projectUse(file: number, project: number): ProjectUse {
  if (callQuotactlFd(quotactlFd, file, command(0x800007), project, scratch) < 0) {
    // xfs has no entry for a number that was never used.
    if (errno() === constants.errno.ENOENT) return { limitBytes: 0, usedBytes: 0, inodes: 0 };
    throw errnoError('quotactl_fd');
  }
  const field = (at: number): number => Number(scratch.readBigUInt64LE(8 * at));
  return { limitBytes: field(0) * blockBytes, usedBytes: field(2), inodes: field(5) };
}

/** Sets how many bytes a project may have, rounded up to 1 KiB; 0: as many as there is room for. Writing beyond is EDQUOT or ENOSPC. Q_SETQUOTA. */
export function limitProject(file: number, project: number, limitBytes: number): void {
  scratch.fill(0, 0, 72);
  const blocks = BigInt(Math.ceil(limitBytes / blockBytes));
  scratch.writeBigUInt64LE(blocks, 0);
  scratch.writeBigUInt64LE(blocks, 8);
  scratch.writeUInt32LE(1, 64); // QIF_BLIMITS
  checked(callQuotactlFd(quotactlFd, file, command(0x800008), project, scratch), 'quotactl_fd');
}

const quotactlFd = 443;
const blockBytes = 1024;
const inheritFlag = 0x200;
const getAttributes = 0x801c581f;
const setAttributes = 0x401c5820;

/** QCMD for PRJQUOTA. */
function command(number: number): number {
  return ((number << 8) | 2) >>> 0;
}

/** struct fsxattr, if_dqblk or fs_quota_stat; one for all calls, since none of them waits. */
const scratch = Buffer.alloc(256);

/** By number: C libraries have no function for it. Linux 5.14. */
const callQuotactlFd = declare<(number: 443, file: number, command: number, project: number, value: Uint8Array) => number>(
  'syscall',
  'long',
  ['long', 'uint', 'uint', 'uint', 'void *'],
);
const callIoctl = declare<(file: number, request: number, value: Uint8Array) => number>('ioctl', 'int', ['int', 'ulong', 'void *']);
