import { setImmediate } from 'node:timers/promises';
import { setFrozen, volumeCall } from './calls.ts';
import { type BtrfsItem, btrfsItems, btrfsItemTypes } from './tree.ts';
import { OpenFolder } from '../files/open-folder.ts';

/**
 * Removes all subvolumes inside one, the deepest first. Whoever could write there made them and chose names, depth and number: they are found by their ids, their
 * folders step by step (the kernel knows a way by id, which ends where a path has 4096 bytes), and no more than two descriptors are open for it.
 */
export async function deleteNested(top: OpenFolder, id: bigint): Promise<void> {
  const nested = await nestedIn(top, id);
  const parents = new Set(nested.values().map(({ parent }) => parent));
  // Nothing can be taken out of a frozen one.
  if (parents.has(id)) await setFrozen(top, false);
  for (const one of nested.values())
    if (one.isFrozen && parents.has(one.id))
      await inside(top, [...folderOf(top, one, nested), one.name], (found) => setFrozen(found, false));
  for (const one of [...nested.values()].toReversed())
    await inside(top, folderOf(top, one, nested), (folder) => volumeCall(folder, 'BTRFS_IOC_SNAP_DESTROY_V2', { name: one.name }));
}

interface Nested {
  readonly id: bigint;
  readonly parent: bigint;
  /** The folder of the parent that it is in, by its inode. */
  readonly folder: bigint;
  readonly name: Buffer;
  readonly isFrozen: boolean;
}

const rootTree = 1n;
const topInode = 256n;

/** By id, parents before what is in them. */
async function nestedIn(top: OpenFolder, id: bigint): Promise<ReadonlyMap<bigint, Nested>> {
  const found = new Map<bigint, Nested>();
  const parents = [id];
  for (let parent = parents.pop(); parent !== undefined; parent = parents.pop()) {
    for (const { offset, data } of btrfsItems(top.file, { tree: rootTree, objectId: parent, type: btrfsItemTypes.rootRef })) {
      const name = Buffer.from(data.subarray(18, 18 + data.readUInt16LE(16)));
      found.set(offset, { id: offset, parent, folder: data.readBigUInt64LE(0), name, isFrozen: isFrozen(top, offset) });
      parents.push(offset);
    }
    await setImmediate(); // there may be many
  }
  return found;
}

/** In struct btrfs_root_item. */
function isFrozen(top: OpenFolder, id: bigint): boolean {
  const item = firstItem(top, { tree: rootTree, objectId: id, type: btrfsItemTypes.root });
  return item !== undefined && (item.data.readBigUInt64LE(208) & 1n) !== 0n;
}

/** The steps from the top to the folder that one is in. */
function folderOf(top: OpenFolder, one: Nested, nested: ReadonlyMap<bigint, Nested>): readonly Buffer[] {
  const steps: Buffer[] = [];
  for (let at: Nested | undefined = one; at !== undefined; at = nested.get(at.parent)) {
    if (at !== one) steps.unshift(at.name);
    steps.unshift(...folderNames(top, at.parent, at.folder));
  }
  return steps;
}

async function inside(top: OpenFolder, steps: readonly Buffer[], work: (folder: OpenFolder) => Promise<void>): Promise<void> {
  let place: OpenFolder | undefined;
  try {
    for (const name of steps) {
      const next = new OpenFolder(name, { below: place ?? top });
      place?.[Symbol.dispose]();
      place = next;
    }
    await work(place ?? top);
  } finally {
    place?.[Symbol.dispose]();
  }
}

/** From a subvolume's top down to one of its folders: a path would be too long for the kernel if somebody wanted it so. */
function folderNames(top: OpenFolder, tree: bigint, folder: bigint): readonly Buffer[] {
  const names: Buffer[] = [];
  for (let inode = folder; inode !== topInode; ) {
    const item = firstItem(top, { tree, objectId: inode, type: btrfsItemTypes.inodeRef });
    if (item === undefined) return names;
    names.unshift(Buffer.from(item.data.subarray(10, 10 + item.data.readUInt16LE(8))));
    inode = item.offset;
  }
  return names;
}

function firstItem(top: OpenFolder, range: Parameters<typeof btrfsItems>[1]): BtrfsItem | undefined {
  for (const item of btrfsItems(top.file, range)) return item;
  return undefined;
}
