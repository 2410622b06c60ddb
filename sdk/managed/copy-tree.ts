import { constants } from 'node:fs';
import { chmod, copyFile, lchown, lutimes, mkdir, opendir, readlink, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Abortable } from '../types/index.ts';

export interface CopyOptions extends Abortable {
  /** Paths relative to the top, with slashes: what is left out, with what is in it. */
  readonly skip?: (path: string) => boolean;
}

/** Copies what is below `from` into the folder `to`: files, folders, and symlinks as they are; anything else is left out. */
export async function copyTree(from: string, to: string, { skip = () => false, signal }: CopyOptions = {}, path = ''): Promise<void> {
  for await (const entry of await opendir(join(from, path))) {
    signal?.throwIfAborted();
    const inner = path === '' ? entry.name : `${path}/${entry.name}`;
    if (skip(inner)) continue;
    const [source, target] = [join(from, inner), join(to, inner)];
    if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else if (entry.isFile()) await copyFile(source, target, constants.COPYFILE_FICLONE);
    else if (entry.isDirectory()) {
      await mkdir(target);
      await copyTree(from, to, { skip, ...(signal === undefined ? {} : { signal }) }, inner);
    }
  }
}

/** npm's date: archives need one, and equal contents must give equal bytes. */
const fixedTimeSeconds = 499_162_500;

/** Gives everything below a folder, and itself, the same owner, modes and times, whoever copied it and when. */
export async function settleTree(folder: string): Promise<void> {
  for await (const entry of await opendir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await settleTree(path);
    else await settle(path, entry.isSymbolicLink() ? undefined : await isProgram(path));
  }
  await settle(folder, true);
}

async function settle(path: string, executable: boolean | undefined): Promise<void> {
  if (process.getuid?.() === 0) await lchown(path, 0, 0);
  if (executable !== undefined) await chmod(path, executable ? 0o755 : 0o644);
  await lutimes(path, fixedTimeSeconds, fixedTimeSeconds);
}

async function isProgram(path: string): Promise<boolean> {
  return ((await stat(path)).mode & 0o111) !== 0;
}
