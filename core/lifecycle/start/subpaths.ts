import { closeSync, fstatSync, mkdirSync, readdirSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fromErrno } from '@gantry/sdk';
import { bindMount, isErrno, isMountPoint, openInRoot, openPath, umount2, unmountFlags } from '@gantry/sdk/linux';

/**
 * Shows a path inside a volume or an image, resolved without leaving it, at `place` until disposed. The runtime is given this mount and no
 * name below the volume: another container that shares it could put a symlink there meanwhile (CVE-2021-25741).
 */
export function showSubpath(root: string, subpath: string, place: string): Disposable {
  let opened: number;
  try {
    opened = openInRoot(root, subpath, { flags: openPath });
  } catch (error) {
    throw fromErrno(error, `subpath ${subpath}`);
  }
  return showOpened(opened, place, `subpath ${subpath}`);
}

/** The same of what an O_PATH descriptor means, which is closed. */
export function showOpened(opened: number, place: string, what: string): Disposable {
  try {
    removePlace(place);
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
    if (fstatSync(opened).isDirectory()) mkdirSync(place, { mode: 0o700 });
    else writeFileSync(place, '', { flag: 'wx', mode: 0o600 });
    bindMount(opened, place, { recursive: true });
  } catch (error) {
    removePlace(place);
    throw fromErrno(error, what);
  } finally {
    closeSync(opened);
  }
  return { [Symbol.dispose]: () => removePlace(place) };
}

/** What an engine left that died between the two. Never by walking down: there are users' files below. */
export function removeSubpaths(folder: string): void {
  try {
    for (const name of readdirSync(folder)) removePlace(join(folder, name));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw fromErrno(error, `remove subpaths in ${folder}`);
  }
}

function removePlace(place: string): void {
  try {
    while (isMountPoint(place)) umount2(place, unmountFlags.detach);
    rmdirSync(place);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    if (!isErrno(error, 'ENOTDIR')) throw error;
    unlinkSync(place);
  }
}
