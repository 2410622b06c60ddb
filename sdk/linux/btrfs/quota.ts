import { setTimeout as sleep } from 'node:timers/promises';
import { btrfsItems, btrfsItemTypes } from './tree.ts';
import { isErrno } from '../errno.ts';
import { ioctl, ioctlAside } from '../ioctl.ts';
import { OpenFolder } from '../files/open-folder.ts';

/** Quotas of btrfs: groups that count what subvolumes take, and limit it. All of it needs CAP_SYS_ADMIN. */

/** `full` counts shared and own blocks, at a price; `simple` (Linux 6.7) charges each block to the subvolume that wrote it. */
export type BtrfsQuotaMode = 'full' | 'simple';

/** How a file system counts; undefined when it does not. */
export function btrfsQuotaMode(path: string): BtrfsQuotaMode | undefined {
  using folder = new OpenFolder(path);
  try {
    for (const { data } of btrfsItems(folder.file, { tree: quotaTree, objectId: 0n, type: btrfsItemTypes.quotaStatus })) {
      const flags = data.readBigUInt64LE(16);
      if ((flags & statusFlags.on) === 0n) return undefined;
      return (flags & statusFlags.simple) === 0n ? 'full' : 'simple';
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  return undefined;
}

/** Has a file system count from now on; in mode `full` resolves when it has counted what is there. On already: nothing changes. EINVAL for a mode the kernel lacks. */
export async function enableBtrfsQuota(
  path: string,
  mode: BtrfsQuotaMode,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  using folder = new OpenFolder(path);
  const given = Buffer.alloc(16);
  given.writeBigUInt64LE(mode === 'simple' ? 4n : 1n);
  await ioctlAside(folder.file, 0xc0109428, given, 'BTRFS_IOC_QUOTA_CTL');
  while (mode === 'full' && isRescanning(folder)) await sleep(20, undefined, { signal });
}

/** A group of its own, or the one that each subvolume has by its id (level 0). */
export interface BtrfsQuotaGroup {
  readonly level: number;
  readonly id: bigint;
}

/** Makes a group. A second call does nothing. */
export async function createQuotaGroup(path: string, group: BtrfsQuotaGroup): Promise<void> {
  await changeGroup(path, group, true);
}

/** Takes a group away. Not there: nothing to do. EBUSY while others belong to it, or while it still counts blocks. */
export async function deleteQuotaGroup(path: string, group: BtrfsQuotaGroup): Promise<void> {
  await changeGroup(path, group, false);
}

/** From now on `parent` counts what `member` takes as well. A second call does nothing. In mode `full` the counts are wrong until a rescan. */
export async function joinQuotaGroup(path: string, member: BtrfsQuotaGroup, parent: BtrfsQuotaGroup): Promise<void> {
  using folder = new OpenFolder(path);
  const given = Buffer.alloc(24);
  given.writeBigUInt64LE(1n, 0);
  given.writeBigUInt64LE(numberOf(member), 8);
  given.writeBigUInt64LE(numberOf(parent), 16);
  await ignoring('EEXIST', ioctlAside(folder.file, 0x40189429, given, 'BTRFS_IOC_QGROUP_ASSIGN'));
}

/** How many bytes that are nobody else's a group may have; undefined: no limit. */
export async function limitQuotaGroup(path: string, group: BtrfsQuotaGroup, ownBytes: number | undefined): Promise<void> {
  using folder = new OpenFolder(path);
  const given = Buffer.alloc(48);
  given.writeBigUInt64LE(numberOf(group), 0);
  given.writeBigUInt64LE(limitOwn, 8);
  given.writeBigUInt64LE(ownBytes === undefined ? noLimit : BigInt(ownBytes), 24);
  await ioctlAside(folder.file, 0x8030942b, given, 'BTRFS_IOC_QGROUP_LIMIT');
}

const quotaTree = 8n;
const statusFlags = { on: 1n, simple: 8n } as const;
/** BTRFS_QGROUP_LIMIT_MAX_EXCL. */
const limitOwn = 2n;
const noLimit = 0xffff_ffff_ffff_ffffn;

function numberOf({ level, id }: BtrfsQuotaGroup): bigint {
  return (BigInt(level) << 48n) | id;
}

async function changeGroup(path: string, group: BtrfsQuotaGroup, isThere: boolean): Promise<void> {
  using folder = new OpenFolder(path);
  const given = Buffer.alloc(16);
  given.writeBigUInt64LE(isThere ? 1n : 0n, 0);
  given.writeBigUInt64LE(numberOf(group), 8);
  // ENOTCONN: nothing is counted, so there are no groups.
  const done = ioctlAside(folder.file, 0x4010942a, given, 'BTRFS_IOC_QGROUP_CREATE');
  await (isThere ? ignoring('EEXIST', done) : ignoring('ENOENT', ignoring('ENOTCONN', done)));
}

async function ignoring(code: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isErrno(error, code)) throw error;
  }
}

function isRescanning({ file }: OpenFolder): boolean {
  const status = Buffer.alloc(64);
  ioctl(file, 0x8040942d, status, 'BTRFS_IOC_QUOTA_RESCAN_STATUS');
  return status.readBigUInt64LE(0) !== 0n;
}
