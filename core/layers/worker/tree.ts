import { constants, lstatSync, mkdirSync, readdirSync, readlinkSync, rmdirSync, type Stats, unlinkSync } from 'node:fs';
import { invalidArgument } from '@gantry/sdk';
import { isErrno } from '@gantry/sdk/linux';
import { baseOf, type EntryPath, joined, kernelPath, parentOf, shown } from './entry-path.ts';

/** Work on the tree that is this thread's root. All of it synchronous, none of it follows a symlink at the end of a path. */

export function statOf(path: EntryPath): Stats | undefined {
  return lstatSync(kernelPath(path), { throwIfNoEntry: false });
}

/** The names in a folder, sorted by bytes: a character of latin1 text is one. */
export function namesIn(folder: EntryPath): readonly string[] {
  return readdirSync(kernelPath(folder), { encoding: 'latin1' }).toSorted();
}

/** overlayfs' sign that a lower entry of this name is gone. */
export function isWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0;
}

/** Deletes what is there, whole; nothing there: nothing to do. Iterative, since anybody decides how deep the tree is. */
export function removeTree(path: EntryPath): void {
  const stat = statOf(path);
  if (stat === undefined) return;
  if (!stat.isDirectory()) return unlinkSync(kernelPath(path));
  const folders = [path];
  for (let at = 0; at < folders.length; at++) {
    const folder = folders[at] ?? '';
    for (const name of readdirSync(kernelPath(folder), { encoding: 'latin1' })) {
      const inside = joined(folder, name);
      if (lstatSync(kernelPath(inside)).isDirectory()) folders.push(inside);
      else unlinkSync(kernelPath(inside));
    }
  }
  for (const folder of folders.toReversed()) rmdirSync(kernelPath(folder));
}

export interface FolderRules {
  /** Called with each folder in which one is about to be made. */
  readonly making?: (parent: EntryPath) => void;
  /** Called for each folder that had to be made. */
  readonly made: (path: EntryPath) => void;
  /** What is on the way is no folder and no symlink: true when this put a folder in its place. */
  readonly replace: (path: EntryPath, stat: Stats) => boolean;
}

/**
 * The folder that `path` means when symlinks are followed inside the root, made where it is missing (0755, root), also behind dangling
 * symlinks. Throws `invalid_argument` for a loop or something that is no folder.
 */
export function makeFolders(path: EntryPath, rules: FolderRules): EntryPath {
  let resolved = '';
  const parts = path.split('/').filter((part) => part !== '');
  for (let links = 0; ; ) {
    const part = parts.shift();
    if (part === undefined) return resolved;
    if (part === '..') resolved = parentOf(resolved);
    if (part === '..' || part === '.' || part === '') continue;
    const next = joined(resolved, part);
    const stat = statOf(next);
    if (stat?.isSymbolicLink()) {
      if (++links > 40) throw invalidArgument(`${shown(path)}: too many levels of symbolic links`);
      const target = readlinkSync(kernelPath(next), { encoding: 'latin1' });
      if (target.startsWith('/')) resolved = '';
      parts.unshift(...target.split('/'));
      continue;
    }
    if (stat === undefined) makeFolder(next, rules);
    else if (!stat.isDirectory() && !rules.replace(next, stat))
      throw invalidArgument(`${shown(path)}: ${shown(baseOf(next))} is not a directory`);
    resolved = next;
  }
}

function makeFolder(path: EntryPath, rules: FolderRules): void {
  rules.making?.(parentOf(path));
  mkdirSync(kernelPath(path), 0o755);
  rules.made(path);
}

/** What the archive's author is to blame for, rather than this machine. */
export function blame(error: unknown, path: EntryPath): unknown {
  if (isErrno(error, 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EISDIR', 'EINVAL', 'ENOTEMPTY', 'ENXIO', 'EMLINK')) {
    return invalidArgument(`${shown(path)}: ${error.message}`, { cause: error });
  }
  return error;
}

export const createNew = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
export const openFolder = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
