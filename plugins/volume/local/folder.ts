import { chmodSync, chownSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSubvolume, setProject, setProjectLimit, snapshotSubvolume, syncfsAside } from '@gantry/sdk/linux';
import { copyTree } from './programs.ts';
import type { Owner } from './options.ts';

/** The volume's own folder: on btrfs a subvolume, so that a snapshot of it takes no time and no space. */
export function makeFolder(folder: string, owner: Owner): void {
  const parent = openSync(folder, 'r');
  try {
    if (!createSubvolume(parent, '_data')) mkdirSync(join(folder, '_data'));
  } finally {
    closeSync(parent);
  }
  giveTo(join(folder, '_data'), owner);
}

/** Mode last: a change of owner takes bits of it away. */
export function giveTo(path: string, { uid = 0, gid = 0, mode = 0o755 }: Owner): void {
  chownSync(path, uid, gid);
  chmodSync(path, mode);
}

/** Has the file system limit what is below the folder; false: it cannot. */
export function limitFolder(path: string, projectId: number, sizeBytes: number): boolean {
  const folder = openSync(path, 'r');
  try {
    return setProject(folder, projectId) && setProjectLimit(folder, projectId, sizeBytes);
  } finally {
    closeSync(folder);
  }
}

/** Whether a copy of it is taken in one moment, whoever writes to it meanwhile. */
export function isSubvolume(path: string): boolean {
  return statSync(path).ino === 256;
}

/** `<folder>/_data` with what the source has, on the disk when it resolves. */
export async function copyFolder(source: string, folder: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  if (!snapshot(source, folder)) {
    makeFolder(folder, {});
    await copyTree(source, join(folder, '_data'), signal);
  }
  const opened = openSync(folder, 'r');
  try {
    await syncfsAside(opened);
  } finally {
    closeSync(opened);
  }
}

function snapshot(source: string, folder: string): boolean {
  if (!isSubvolume(source)) return false;
  const from = openSync(source, 'r');
  const to = openSync(folder, 'r');
  try {
    return snapshotSubvolume(from, to, '_data');
  } finally {
    closeSync(from);
    closeSync(to);
  }
}
