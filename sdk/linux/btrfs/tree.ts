import { ioctl } from '../ioctl.ts';

/** One item of one of btrfs' trees; what its data means depends on the type (linux/btrfs_tree.h). */
export interface BtrfsItem {
  readonly objectId: bigint;
  readonly type: number;
  readonly offset: bigint;
  readonly data: Buffer;
}

export interface BtrfsItemRange {
  /** The tree's id: 1 has all trees, 8 quotas, from 256 on they are subvolumes'. */
  readonly tree: bigint;
  /** One object; all by default. */
  readonly objectId?: bigint;
  /** The one type that is wanted; all by default. */
  readonly type?: number;
  /** Only from leaves that were written in this transaction or later. */
  readonly since?: bigint;
}

/** Types of items (linux/btrfs_tree.h). */
export const btrfsItemTypes = {
  inode: 1,
  inodeRef: 12,
  extentData: 108,
  root: 132,
  rootRef: 156,
  quotaStatus: 240,
  quotaGroup: 242,
} as const;

/**
 * The items of a tree of the file system that an open file is on, in their order, as of the last transaction: BTRFS_IOC_TREE_SEARCH_V2. Needs CAP_SYS_ADMIN.
 * Each is good until the next one is asked for. ENOENT when there is no such tree.
 */
export function* btrfsItems(file: number, { tree, objectId, type, since = 0n }: BtrfsItemRange): Generator<BtrfsItem> {
  const search = Buffer.alloc(headBytes + bufferBytes);
  let from: Key | undefined = { objectId: objectId ?? 0n, type: type ?? 0, offset: 0n };
  while (from !== undefined) {
    writeSearch(search, { tree, from, to: { objectId: objectId ?? most, type: type ?? 255, offset: most }, since });
    ioctl(file, 0xc0709411, search, 'BTRFS_IOC_TREE_SEARCH_V2');
    const count = search.readUInt32LE(64);
    let last: Key | undefined;
    for (let index = 0, at = headBytes; index < count; index++) {
      const item = itemAt(search, at);
      at += itemHeadBytes + item.data.length;
      last = item;
      // The kernel compares whole keys: between two objects it finds every type.
      if (type === undefined || item.type === type) yield item;
    }
    from = last && after(last);
  }
}

interface Key {
  readonly objectId: bigint;
  readonly type: number;
  readonly offset: bigint;
}

const most = 0xffff_ffff_ffff_ffffn;
/** struct btrfs_ioctl_search_args_v2 before its buffer. */
const headBytes = 112;
/** The largest item is a leaf, 64 KiB at most. */
const bufferBytes = 128 * 1024;
const itemHeadBytes = 32;

function writeSearch(
  search: Buffer,
  { tree, from, to, since }: { readonly tree: bigint; readonly from: Key; readonly to: Key; readonly since: bigint },
): void {
  for (const [index, value] of [tree, from.objectId, to.objectId, from.offset, to.offset, since, most].entries())
    search.writeBigUInt64LE(value, index * 8);
  for (const [index, value] of [from.type, to.type, 0xffff_ffff, 0].entries()) search.writeUInt32LE(value, 56 + index * 4);
  search.fill(0, 72, 104);
  search.writeBigUInt64LE(BigInt(bufferBytes), 104);
}

function itemAt(search: Buffer, at: number): BtrfsItem {
  const length = search.readUInt32LE(at + 28);
  return {
    objectId: search.readBigUInt64LE(at + 8),
    offset: search.readBigUInt64LE(at + 16),
    type: search.readUInt32LE(at + 24),
    data: search.subarray(at + itemHeadBytes, at + itemHeadBytes + length),
  };
}

/** The next possible key. */
function after({ objectId, type, offset }: Key): Key | undefined {
  if (offset < most) return { objectId, type, offset: offset + 1n };
  if (type < 255) return { objectId, type: type + 1, offset: 0n };
  return objectId < most ? { objectId: objectId + 1n, type: 0, offset: 0n } : undefined;
}
