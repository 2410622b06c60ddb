import { readlinkSync, realpathSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import { notFound } from '@gantry/sdk';
import type { PathStat } from '@gantry/sdk/engine';
import { isErrno } from '@gantry/sdk/linux';
import { blame, statOf } from './tree.ts';

/** Facts of a path in this thread's root; the last part is not followed unless a slash follows it. */
export function pathStat(path: string): PathStat {
  const absolute = posix.join('/', path);
  const stat = statAt(absolute);
  return {
    name: posix.basename(absolute) || '/',
    size: stat.size,
    mode: goFileMode(stat),
    mtime: new Date(stat.mtimeMs).toISOString(),
    linkTarget: stat.isSymbolicLink() ? targetOf(absolute) : '',
  };
}

export function statAt(path: string): Stats {
  try {
    const stat = statOf(Buffer.from(path.replace(/^\/+/, '')).toString('latin1'));
    if (stat !== undefined) return stat;
  } catch (error) {
    if (!isErrno(error, 'ENOTDIR')) throw blame(error, path);
  }
  throw notFound(`Could not find the file ${path}`);
}

/** Permissions and kind as Go's os.FileMode has them. */
export function goFileMode(stat: Stats): number {
  let mode = stat.mode & 0o777;
  if ((stat.mode & 0o4000) !== 0) mode += 2 ** 23;
  if ((stat.mode & 0o2000) !== 0) mode += 2 ** 22;
  if ((stat.mode & 0o1000) !== 0) mode += 2 ** 20;
  if (stat.isDirectory()) return mode + 2 ** 31;
  if (stat.isSymbolicLink()) return mode + 2 ** 27;
  if (stat.isFIFO()) return mode + 2 ** 25;
  if (stat.isSocket()) return mode + 2 ** 24;
  if (stat.isBlockDevice()) return mode + 2 ** 26;
  if (stat.isCharacterDevice()) return mode + 2 ** 26 + 2 ** 21;
  return mode;
}

/** Where the symlink leads inside the root, also when nothing is there. */
function targetOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return posix.join('/', posix.resolve(posix.dirname(path), readlinkSync(path)));
  }
}
