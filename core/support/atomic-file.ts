import { closeSync, constants, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { shortRandom } from './ids.ts';

export interface PublishOptions {
  /** Permission bits of the file; 0600 unless given. */
  readonly mode?: number | undefined;
}

/**
 * Replaces or creates `path` with `data`. When it returns, the new content survives a power cut; until then readers and a restart see
 * the old content or none, never a part. A failure leaves nothing behind; a crash may leave a hidden `.name.xxxx.tmp` next to it.
 */
export async function publishFile(path: string, data: string | Uint8Array, { mode = 0o600 }: PublishOptions = {}): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    await using file = await open(temporary, 'wx', mode);
    await file.writeFile(data);
    await file.sync();
    await renameDurably(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** `publishFile` for workers and for start-up, where nothing else waits. */
export function publishFileSync(path: string, data: string | Uint8Array, { mode = 0o600 }: PublishOptions = {}): void {
  const temporary = temporaryPath(path);
  try {
    const file = openSync(temporary, 'wx', mode);
    try {
      writeFileSync(file, data);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameDurablySync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Renames within one file system and syncs the folder of `to`. The bytes of `from` must have been synced before, or a power cut leaves it empty. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
}

export function renameDurablySync(from: string, to: string): void {
  renameSync(from, to);
  syncFolderSync(dirname(to));
}

/** Makes the names in a folder durable: created, renamed and removed entries survive a power cut once this returns. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await folder.sync();
}

export function syncFolderSync(path: string): void {
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 200)}.${shortRandom()}.tmp`);
}
