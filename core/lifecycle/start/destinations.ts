import { lstatSync, readlinkSync } from 'node:fs';
import { join, posix } from 'node:path';
import { invalidArgument } from '@gantry/sdk';
import type { PlannedMount } from '../model.ts';
import { wrongPlace } from '../validate/index.ts';

/**
 * The mounts, parents first, with destinations in which the image's symlinks are followed inside its root, also where they lead to nothing
 * yet (crun does not follow those). What leads into the kernel's folders is `invalid_argument`: it would cover their masks (CVE-2019-19921).
 */
export function placedMounts(rootfs: string, mounts: readonly PlannedMount[]): readonly PlannedMount[] {
  const placed: PlannedMount[] = [];
  // What will be covered by a mount says nothing: it is the runtime that follows symlinks there.
  const covered = ['/proc', '/sys', '/dev'];
  for (const mount of mounts.toSorted((a, b) => depth(a.destination) - depth(b.destination))) {
    const destination = placeOf(rootfs, mount.destination, covered);
    const wrong = wrongPlace(destination);
    if (wrong !== undefined)
      throw invalidArgument(`mount destination ${mount.destination} is a symlink in the image: it can't be ${wrong}`);
    covered.push(destination);
    placed.push({ ...mount, destination });
  }
  return placed.toSorted((a, b) => depth(a.destination) - depth(b.destination));
}

const depth = (path: string) => path.split('/').length;
/** As the kernel's; path_resolution(7). */
const mostLinks = 40;

function placeOf(rootfs: string, path: string, covered: readonly string[]): string {
  let resolved = '/';
  const parts = path.split('/');
  for (let links = 0; parts.length > 0; ) {
    const next = posix.join(resolved, parts.shift() ?? '');
    const target = covered.some((mount) => next === mount || next.startsWith(`${mount}/`)) ? undefined : targetOf(join(rootfs, next));
    if (target === undefined) resolved = next;
    else if (++links > mostLinks) throw invalidArgument(`mount destination ${path}: too many levels of symbolic links`);
    else {
      if (target.startsWith('/')) resolved = '/';
      parts.unshift(...target.split('/'));
    }
  }
  return resolved;
}

/** Where a symlink leads; undefined for anything else, and for nothing. */
function targetOf(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}
