import { setImmediate } from 'node:timers/promises';
import { subvolumeOf } from './calls.ts';
import { btrfsItems, btrfsItemTypes } from './tree.ts';
import { OpenFolder } from '../files/open-folder.ts';

/**
 * What a subvolume has on the disk that was written since it was made, by its top folder: for a snapshot, what it adds to the one that it was made of. What is still in
 * the page cache does not count: sync before. Needs CAP_SYS_ADMIN; takes as long as there is to count, other work goes on meanwhile.
 */
export async function subvolumeUsage(path: string): Promise<{ readonly bytes: number; readonly inodes: number }> {
  using top = new OpenFolder(path);
  const { id, madeIn } = subvolumeOf(top);
  const extents = new Map<bigint, bigint>();
  let inline = 0;
  let inodes = 0;
  let seen = 0;
  for (const { type, data } of btrfsItems(top.file, { tree: id, since: madeIn + 1n })) {
    if (++seen % 1_000 === 0) await setImmediate();
    // A leaf that was written anew has old items as well: each tells its own transaction.
    if ((type !== btrfsItemTypes.inode && type !== btrfsItemTypes.extentData) || data.readBigUInt64LE(0) <= madeIn) continue;
    if (type === btrfsItemTypes.inode) inodes += 1;
    else if (data.readUInt8(20) === inlineExtent) inline += data.length - 21;
    else extents.set(data.readBigUInt64LE(21), data.readBigUInt64LE(29));
  }
  extents.delete(hole);
  return { bytes: Number(extents.values().reduce((sum, bytes) => sum + bytes, 0n)) + inline, inodes };
}

/** Of struct btrfs_file_extent_item's `type`. */
const inlineExtent = 0;
/** Its `disk_bytenr` where nothing is stored. */
const hole = 0n;
