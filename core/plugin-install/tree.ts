import { createHash } from 'node:crypto';
import { constants, createReadStream, type Stats } from 'node:fs';
import { chmod, copyFile, lchown, lstat, lutimes, mkdir, open, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Abortable, exhausted, invalidArgument } from '@gantry/sdk';
import { failure } from './failure.ts';

export interface TreeEntry {
  /** Relative to the root, with slashes. */
  readonly path: string;
  readonly stat: Stats;
}

/** Limits that no honest plugin comes near. */
const maxEntries = 500_000;
export const maxTreeBytes: number = 4 * 2 ** 30;
/** npm's date: archives need one, and equal trees must give equal bytes. */
const fixedTimeSeconds = 499_162_500;

/** Everything below the root, sorted, folders before what is in them; symlinks are not followed. `skip` leaves out an entry and what is in it. */
export async function* walk(root: string, skip: (path: string) => boolean = () => false): AsyncIterable<TreeEntry> {
  const pending = [''];
  let count = 0;
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const names = (await readdir(join(root, folder))).toSorted();
    const folders: string[] = [];
    for (const name of names) {
      const path = folder === '' ? name : `${folder}/${name}`;
      if (skip(path)) continue;
      if (++count > maxEntries) throw exhausted(`a plugin of more than ${maxEntries} files`);
      const stat = await lstat(join(root, path));
      if (stat.isDirectory()) folders.push(path);
      yield { path, stat };
    }
    pending.push(...folders.toReversed());
  }
}

/** What stands for the tree: names, kinds, whether a file is executable, contents. Owners and times do not count. */
export async function treeDigest(
  root: string,
  { skip, signal }: { readonly skip?: (path: string) => boolean } & Abortable = {},
): Promise<string> {
  const hash = createHash('sha256');
  const say = (...words: readonly (string | number)[]): void => void hash.update(`${JSON.stringify(words)}\n`);
  for await (const { path, stat } of walk(root, skip)) {
    signal?.throwIfAborted();
    if (stat.isDirectory()) say('folder', path);
    else if (stat.isSymbolicLink()) say('link', path, await readlink(join(root, path)));
    else if (stat.isFile()) {
      say('file', path, stat.mode & 0o111 ? 'x' : '-', stat.size);
      for await (const chunk of createReadStream(join(root, path), { signal })) hash.update(chunk as Buffer);
    }
  }
  return `sha256:${hash.digest('hex')}`;
}

/** Copies what is below `from` into the empty folder `to`, symlinks as they are. Refuses what is no file, folder or symlink. */
export async function copyTree(
  from: string,
  to: string,
  { skip, signal }: { readonly skip?: (path: string) => boolean } & Abortable = {},
): Promise<void> {
  let bytes = 0;
  for await (const { path, stat } of walk(from, skip)) {
    signal?.throwIfAborted();
    if (stat.isDirectory()) await mkdir(join(to, path));
    else if (stat.isSymbolicLink()) await symlink(await readlink(join(from, path)), join(to, path));
    else if (stat.isFile()) {
      bytes += stat.size;
      if (bytes > maxTreeBytes) throw exhausted(`a plugin of more than ${maxTreeBytes} bytes`);
      await copyOne(join(from, path), join(to, path));
    } else throw invalidArgument(`${path} in the plugin's folder is no file, folder or symlink`);
  }
}

/** The file that was looked at, even when something else has taken its name meanwhile. */
async function copyOne(from: string, to: string): Promise<void> {
  await using file = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stat = await file.stat();
  if (!stat.isFile()) throw invalidArgument(`${from} is no file any more`);
  await copyFile(`/proc/self/fd/${file.fd}`, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  await chmod(to, stat.mode & 0o777);
}

export interface HardenOptions extends Abortable {
  /** Folder that becomes a root of its own, a container's: symlinks in it may be absolute, and devices in it are dropped instead of refused. */
  readonly rootfs?: string;
}

/**
 * Makes a tree what the engine may keep: everything is root's and nobody may write, nothing is setuid or has capabilities, times are equal
 * everywhere. Refuses with `invalid_argument` symlinks that lead out and what is no file, folder or symlink.
 */
export async function harden(root: string, { rootfs, signal }: HardenOptions = {}): Promise<void> {
  const folders = [root];
  const inRootfs = (path: string): boolean => rootfs !== undefined && (rootfs === '' || path === rootfs || path.startsWith(`${rootfs}/`));
  try {
    for await (const { path, stat } of walk(root)) {
      signal?.throwIfAborted();
      const full = join(root, path);
      if (stat.isDirectory()) folders.push(full);
      else if (stat.isFile()) await settle(full, stat.mode & 0o111 ? 0o555 : 0o444);
      else if (stat.isSymbolicLink()) {
        if (!inRootfs(path)) checkLink(path, await readlink(full));
        await settle(full);
      } else if (inRootfs(path)) await rm(full);
      else throw invalidArgument(`${path} in the plugin is no file, folder or symlink`);
    }
    for (const folder of folders.toReversed()) await settle(folder, 0o555);
  } catch (error) {
    throw failure(error, 'make the plugin read-only');
  }
}

/** Whether `harden` was here. */
export async function isHardened(root: string): Promise<boolean> {
  const { mode, uid, mtimeMs } = await lstat(root);
  return (mode & 0o7777) === 0o555 && uid === 0 && mtimeMs === fixedTimeSeconds * 1000;
}

/** A single file as `harden` leaves them. */
export async function settleFile(path: string): Promise<void> {
  await settle(path, 0o444);
}

/** Owner first: changing it takes setuid, setgid and file capabilities away (chown(2)). */
async function settle(path: string, mode?: number): Promise<void> {
  await lchown(path, 0, 0);
  if (mode !== undefined) await chmod(path, mode);
  await lutimes(path, fixedTimeSeconds, fixedTimeSeconds);
}

/** Upwards only at the beginning, and not above the root: "..", after a name, would depend on where that name leads. */
function checkLink(path: string, target: string): void {
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const ups = parts.findIndex((part) => part !== '..');
  const climbs = ups < 0 ? parts.length : ups;
  const depth = path.split('/').length - 1;
  if (target.startsWith('/') || climbs > depth || parts.slice(climbs).includes('..')) {
    throw invalidArgument(`${path} in the plugin is a symlink that leads out of it: ${target.slice(0, 200)}`, {
      hint: 'copy what it points to into the plugin',
    });
  }
}
