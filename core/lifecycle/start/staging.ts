import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fromErrno, invalidArgument, notImplemented, unavailable } from '@gantry/sdk';
import {
  bindMount,
  type IdMaps,
  isErrno,
  isMountPoint,
  mountAttributes,
  mountSetattr,
  moveMount,
  openUserNamespace,
  umount2,
  unmountFlags,
} from '@gantry/sdk/linux';
import { openInside } from '../inside/aside.ts';
import type { Opened } from '../inside/open.ts';

/** How a mount's source is changed before the runtime sees it. */
export interface StageOptions {
  /** What messages call the source; absent: its path. */
  readonly what?: string;
  /** Inside the source, resolved without leaving it. */
  readonly subpath?: string;
  /** With the mounts below it. */
  readonly recursive: boolean;
  /** Of all mounts below it, too, where the kernel can do that; `force`: or not at all. */
  readonly readOnly?: 'try' | 'force';
  /** Shows owners by these maps, or by those of the user namespace at a path. */
  readonly idMaps?: IdMaps;
  readonly userNamespace?: string | undefined;
}

/**
 * Shows a source, or a path inside it, at `place` until disposed. The runtime is given this mount and no name below the source: another container that shares it could
 * put a symlink there meanwhile (CVE-2021-25741). What the mount is to be is in force before the runtime makes its own of it, so that it need not be able to.
 */
export async function stage(source: string, place: string, options: StageOptions): Promise<Disposable> {
  const { subpath = '', idMaps, userNamespace } = options;
  const whole = options.what ?? `mount source ${source}`;
  const what = subpath === '' ? whole : `subpath ${subpath}`;
  const opened = await openInside(source, subpath).catch((error: unknown) => {
    throw fromErrno(error, what);
  });
  let usernsFd: number | undefined;
  try {
    if (idMaps !== undefined) usernsFd = await openUserNamespace(idMaps);
    else if (userNamespace !== undefined) usernsFd = openSync(userNamespace, 'r');
  } catch (error) {
    closeSync(opened.descriptor);
    throw fromErrno(error, what);
  }
  try {
    return placed(opened, place, what, () => bindAt(opened.descriptor, place, { ...options, what: whole, usernsFd }));
  } finally {
    if (usernsFd !== undefined) closeSync(usernsFd);
  }
}

/** The same of what an O_PATH descriptor means, which is closed. */
export function showOpened(opened: number, place: string, what: string): Disposable {
  const isFolder = fstatSync(opened).isDirectory();
  return placed({ descriptor: opened, isFolder }, place, what, () => bindMount(opened, place, { recursive: true }));
}

/** The same of a mount that is attached nowhere yet. */
export function showMount(mount: Opened, place: string, what: string): Disposable {
  return placed(mount, place, what, () => moveMount(mount.descriptor, place));
}

function placed({ descriptor, isFolder }: Opened, place: string, what: string, bind: () => void): Disposable {
  try {
    removePlace(place);
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
    if (isFolder) mkdirSync(place, { mode: 0o700 });
    else writeFileSync(place, '', { flag: 'wx', mode: 0o600 });
    bind();
  } catch (error) {
    removePlace(place);
    throw fromErrno(error, what);
  } finally {
    closeSync(descriptor);
  }
  return { [Symbol.dispose]: () => removePlace(place) };
}

/** What an engine left that died between the two. Never by walking down: there are users' files below. */
export function removeStaged(folder: string): void {
  try {
    for (const name of readdirSync(folder)) removePlace(join(folder, name));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw fromErrno(error, `remove staged mounts in ${folder}`);
  }
}

function bindAt(
  source: number,
  place: string,
  { what, recursive, readOnly, idMaps, usernsFd }: StageOptions & { readonly what: string; readonly usernsFd: number | undefined },
): void {
  try {
    bindMount(source, place, { recursive, ...(usernsFd === undefined ? {} : { usernsFd }) });
  } catch (error) {
    throw usernsFd !== undefined && isErrno(error, 'EINVAL', 'ENOSYS', 'EPERM')
      ? cannotMap(what, error, { isAsked: idMaps !== undefined })
      : error;
  }
  if (readOnly === undefined) return;
  try {
    mountSetattr(place, { set: mountAttributes.rdonly, recursive });
  } catch (error) {
    if (!isErrno(error, 'ENOSYS')) throw error;
    // The runtime makes the top mount read-only, as it did before there was this call.
    if (readOnly === 'force') throw notImplemented('recursively read-only mounts need Linux 5.12', { cause: error });
  }
}

/** Whoever asked for it by name asked for what cannot be; a container that has a user namespace anyway can have the machine's. */
function cannotMap(what: string, cause: unknown, { isAsked }: { readonly isAsked: boolean }): Error {
  if (isAsked) return invalidArgument(`${what}: its file system, or this kernel, cannot map owners (idmap)`, { cause });
  return unavailable(`${what} cannot show owners mapped for a user namespace: its file system, or this kernel, has no idmapped mounts`, {
    hint: 'run the container with --userns=host, or keep it on ext4, xfs, btrfs or tmpfs',
    cause,
  });
}

/** Unmounts and removes a mount point of ours; nothing there: nothing to do. */
export function removePlace(place: string): void {
  try {
    while (isMountPoint(place)) umount2(place, unmountFlags.detach);
    rmdirSync(place);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    if (!isErrno(error, 'ENOTDIR')) throw error;
    unlinkSync(place);
  }
}
