import { chmodSync, chownSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import {
  createSubvolume,
  isErrno,
  limitProject,
  projectQuotaState,
  setProject,
  snapshotSubvolume,
  subvolumeAt,
  syncFileSystem,
} from '@gantry/sdk/linux';
import { copyTree } from './programs.ts';
import type { Owner } from './options.ts';

/** The volume's own folder: on btrfs a subvolume, so that a snapshot of it takes no time and no space. */
export async function makeFolder(folder: string, owner: Owner): Promise<void> {
  try {
    await createSubvolume(folder, '_data');
  } catch (error) {
    if (!isErrno(error, 'ENOTTY')) throw error;
    mkdirSync(join(folder, '_data'));
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
    if (projectQuotaState(folder) !== 'enforced') return false;
    setProject(folder, projectId);
    limitProject(folder, projectId, sizeBytes);
    return true;
  } catch (error) {
    // In a sandbox it may not ask.
    if (isErrno(error, 'EPERM')) return false;
    throw error;
  } finally {
    closeSync(folder);
  }
}

/** Whether a copy of it is taken in one moment, whoever writes to it meanwhile. */
export function isSubvolume(path: string): boolean {
  return subvolumeAt(path) !== undefined;
}

/** `<folder>/_data` with what the source has, on the disk when it resolves. */
export async function copyFolder(source: string, folder: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  if (isSubvolume(source)) await snapshotSubvolume(source, folder, '_data');
  else {
    await makeFolder(folder, {});
    await copyTree(source, join(folder, '_data'), signal);
  }
  await syncFileSystem(folder);
}
