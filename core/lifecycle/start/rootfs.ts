import { lstatSync, readlinkSync } from 'node:fs';
import { join, posix } from 'node:path';
import { invalidArgument } from '@gantry/sdk';
import type { PlannedMount } from '../model.ts';
import { wrongPlace } from '../validate/index.ts';

/**
 * An image with a symlink in place of one of the kernel's folders would lead the runtime's mounts elsewhere (CVE-2021-30465, CVE-2025-52881),
 * and one that leads into them would have a mount put over the masks (CVE-2019-19921).
 */
export function checkRootfs(rootfs: string, mounts: readonly Pick<PlannedMount, 'destination'>[]): void {
  for (const name of ['dev', 'proc', 'sys']) {
    const facts = lstatSync(`${rootfs}/${name}`, { throwIfNoEntry: false });
    if (facts !== undefined && !facts.isDirectory()) throw invalidArgument(`/${name} in the image must be an ordinary directory`);
  }
  for (const { destination } of mounts) {
    const wrong = wrongPlace(placeOf(rootfs, destination));
    if (wrong !== undefined)
      throw invalidArgument(`mount destination ${destination} leads by a symlink of the image to where it can't be: ${wrong}`);
  }
}

const mostLinks = 40;

/** Where the path leads inside the root, with all its symlinks followed, also where nothing is. */
function placeOf(rootfs: string, path: string): string {
  let resolved = '/';
  const parts = path.split('/');
  for (let links = 0; parts.length > 0; ) {
    const next = posix.join(resolved, parts.shift() ?? '');
    if (next === '/' || !isSymlink(join(rootfs, next))) resolved = next;
    else if (++links > mostLinks) throw invalidArgument(`mount destination ${path}: too many levels of symbolic links`);
    else {
      const target = readlinkSync(join(rootfs, next));
      if (target.startsWith('/')) resolved = '/';
      parts.unshift(...target.split('/'));
    }
  }
  return resolved;
}

function isSymlink(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  } catch {
    return false;
  }
}
