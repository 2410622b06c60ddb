import { closeSync, mkdirSync, openSync, symlinkSync } from 'node:fs';
import { baseOf, joined, kernelPath, parentOf } from './entry-path.ts';
import { createNew, makeFolders, removeTree, statOf } from './tree.ts';

/** What the runtime mounts over or a program expects, and images leave out. */
const folders = ['dev/pts', 'dev/shm', 'proc', 'sys'];
const files = ['.dockerenv', 'etc/resolv.conf', 'etc/hosts', 'etc/hostname', 'dev/console'];
const symlinks = { 'etc/mtab': '/proc/mounts' };

/** Makes them in this thread's root, in the place of whatever else has such a name. */
export function makeInitFiles(): void {
  for (const path of folders) makeFolders(path, rules);
  for (const path of files) closeSync(openSync(kernelPath(emptied(path)), createNew, 0o755));
  for (const [path, target] of Object.entries(symlinks)) symlinkSync(target, kernelPath(emptied(path)));
}

const rules = {
  made: () => undefined,
  replace: (path: string) => {
    removeTree(path);
    mkdirSync(kernelPath(path), 0o755);
    return true;
  },
};

function emptied(path: string): string {
  const place = joined(makeFolders(parentOf(path), rules), baseOf(path));
  if (statOf(place) !== undefined) removeTree(place);
  return place;
}
