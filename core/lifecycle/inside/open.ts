import { closeSync, fstatSync, openSync } from 'node:fs';
import { openInRoot, openPath, openTree, setns, unshare } from '@gantry/sdk/linux';

/** An O_PATH descriptor, whose owner closes it. */
export interface Opened {
  readonly descriptor: number;
  readonly isFolder: boolean;
}

/** A path inside the source, resolved without leaving it; the source itself when it is empty. */
export function openFolderOrFile(source: string, subpath: string): Opened {
  const descriptor = subpath === '' ? openSync(source, openPath) : openInRoot(source, subpath, { flags: openPath });
  try {
    return { descriptor, isFolder: fstatSync(descriptor).isDirectory() };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** A detached copy of what a process has mounted at a path. This thread is in that process's mount namespace from then on. */
export function cloneInside(pid: number, path: string): number {
  const namespace = openSync(`/proc/${pid}/ns/mnt`, 'r');
  try {
    unshare('fs');
    setns(namespace, 'mount');
    return openTree(path, { clone: true });
  } finally {
    closeSync(namespace);
  }
}
