import { lchownSync, lstatSync } from 'node:fs';
import { chmodNoFollow, getXattr, isErrno, listXattr, setTimes, setXattr } from '@gantry/sdk/linux';
import { type EntryPath, kernelPath, parentOf } from './entry-path.ts';
import { isOwnNote } from './overlay-notes.ts';
import { enter } from './root.ts';
import { statOf } from './tree.ts';

interface Facts {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

/**
 * Gives folders that an archive did not name, and that had to be made apart from the layers below, what they have there: owner, permissions, time,
 * attributes. Answers false, having changed nothing, when one of them is a symlink below: its files belong where that leads.
 */
export function inherit(root: string, lower: string, folders: readonly EntryPath[]): boolean {
  enter(lower);
  const found = new Map<EntryPath, Facts>();
  const kinds = new Map<EntryPath, Kind>([['', 'folder']]);
  for (const folder of folders) {
    const kind = kindOf(folder, kinds);
    if (kind === 'symlink') return false;
    if (kind === 'folder') found.set(folder, factsOf(folder));
  }
  enter(root);
  for (const [folder, facts] of found) give(folder, facts);
  return true;
}

type Kind = 'folder' | 'symlink' | 'none';

/** `none`, too, for what is behind something that is no folder. Remembered: a deep tree has each folder as an ancestor of many. */
function kindOf(path: EntryPath, known: Map<EntryPath, Kind>): Kind {
  const before = known.get(path);
  if (before !== undefined) return before;
  const stat = kindOf(parentOf(path), known) === 'folder' ? statOf(path) : undefined;
  const kind = stat?.isDirectory() === true ? 'folder' : stat?.isSymbolicLink() === true ? 'symlink' : 'none';
  known.set(path, kind);
  return kind;
}

function factsOf(folder: EntryPath): Facts {
  const { mode, uid, gid, mtimeNs } = lstatSync(kernelPath(folder), { bigint: true });
  return { mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid), mtimeNs, xattrs: xattrsOf(folder) };
}

function xattrsOf(folder: EntryPath): ReadonlyMap<string, Buffer> {
  try {
    const names = listXattr(kernelPath(folder)).filter((name) => !isOwnNote(name));
    return new Map(names.map((name) => [name, getXattr(kernelPath(folder), name) ?? Buffer.alloc(0)]));
  } catch (error) {
    if (isErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) return new Map();
    throw error;
  }
}

function give(folder: EntryPath, { mode, uid, gid, mtimeNs, xattrs }: Facts): void {
  const place = kernelPath(folder);
  lchownSync(place, uid, gid);
  chmodNoFollow(place, mode);
  for (const [name, value] of xattrs) setXattr(place, name, value);
  setTimes(place, { atimeNs: mtimeNs, mtimeNs });
}
