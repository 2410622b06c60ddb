import { readlinkSync, realpathSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import { invalidArgument, notFound } from '@gantry/sdk';
import type { PathStat } from '@gantry/sdk/engine';
import { isErrno } from '@gantry/sdk/linux';
import { blame, statOf } from './tree.ts';

/** Facts of a path in this thread's root; the last part is not followed unless a slash, or one with a dot, follows it. */
export function pathStat(path: string): PathStat {
  const absolute = absoluteOf(path);
  const stat = statAt(absolute);
  return {
    name: meansContent(path) ? '.' : posix.basename(absolute) || '/',
    size: stat.size,
    mode: goFileMode(stat),
    mtime: new Date(stat.mtimeMs).toISOString(),
    linkTarget: stat.isSymbolicLink() ? targetOf(absolute) : '',
  };
}

/** "/etc/." and "." are what is in the folder, not the folder by its name. */
export function meansContent(path: string): boolean {
  return /(^|\/)\.$/.test(path);
}

/** From the root; a slash at the end stays, and stands for a dot there. */
export function absoluteOf(path: string): string {
  return posix.join('/', path, meansContent(path) ? '/' : '');
}

export function statAt(path: string): Stats {
  const stat = found(path);
  if (stat !== undefined) return stat;
  if (path.endsWith('/') && found(path.replace(/\/+$/, '')) !== undefined) throw invalidArgument(`lstat ${path}: not a directory`);
  throw notFound(`Could not find the file ${path}`);
}

function found(path: string): Stats | undefined {
  try {
    return statOf(Buffer.from(path.replace(/^\/+/, '')).toString('latin1'));
  } catch (error) {
    if (isErrno(error, 'ENOTDIR')) return undefined;
    throw blame(error, path);
  }
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
