import { constants } from 'node:os';
import { declare, errno } from './calls.ts';
import { errnoError } from './errno.ts';

/** Limits of folders by project ids (ext4, xfs): quotactl(2), ioctl_fssetxattr. */

export interface ProjectUsage {
  readonly usedBytes: number;
  /** 0: no limit. */
  readonly limitBytes: number;
}

/**
 * Gives an open folder, and whatever is made below it from now on, a project id. What is in it already keeps its own. False where the file system has no
 * project ids.
 */
export function setProject(folder: number, id: number): boolean {
  const attributes = Buffer.alloc(28);
  if (callIoctl(folder, 0x801c581f /* FS_IOC_FSGETXATTR */, attributes) !== 0) return lacks('FS_IOC_FSGETXATTR');
  const inherit = 0x200;
  attributes.writeUInt32LE((attributes.readUInt32LE(0) | inherit) >>> 0, 0);
  attributes.writeUInt32LE(id, 12);
  if (callIoctl(folder, 0x401c5820 /* FS_IOC_FSSETXATTR */, attributes) !== 0) return lacks('FS_IOC_FSSETXATTR');
  return true;
}

/** Limits the bytes of a project on the file system of an open file; 0: no limit. Linux 5.14. False where no project quota is in force. */
export function setProjectLimit(file: number, id: number, limitBytes: number): boolean {
  const quota = Buffer.alloc(72);
  const blocks = BigInt(Math.ceil(limitBytes / 1024));
  quota.writeBigUInt64LE(blocks, 0);
  quota.writeBigUInt64LE(blocks, 8);
  quota.writeUInt32LE(1 /* QIF_BLIMITS */, 64);
  if (callQuotactl(443, file, command(0x800008 /* Q_SETQUOTA */), id, quota) === 0) return true;
  return lacks('quotactl_fd');
}

/** What a project uses; undefined where no project quota is in force. */
export function projectUsage(file: number, id: number): ProjectUsage | undefined {
  const quota = Buffer.alloc(72);
  if (callQuotactl(443, file, command(0x800007 /* Q_GETQUOTA */), id, quota) !== 0) {
    lacks('quotactl_fd');
    return undefined;
  }
  return { usedBytes: Number(quota.readBigUInt64LE(16)), limitBytes: Number(quota.readBigUInt64LE(0)) * 1024 };
}

/** That it cannot is an answer; other errors are thrown. */
function lacks(call: string): false {
  const { ENOTTY, EOPNOTSUPP, ENOSYS, ESRCH, EINVAL, EPERM } = constants.errno;
  if ([ENOTTY, EOPNOTSUPP, ENOSYS, ESRCH, EINVAL, EPERM].includes(errno())) return false;
  throw errnoError(call);
}

const command = (number: number): number => number * 256 + 2; /* PRJQUOTA */

const callIoctl = declare<(file: number, request: number, data: Buffer) => number>('ioctl', 'int', ['int', 'ulong', 'void *']);
const callQuotactl = declare<(number: 443, file: number, command: number, id: number, data: Buffer) => number>('syscall', 'long', [
  'long',
  'long',
  'uint',
  'long',
  'void *',
]);
