import { createHash } from 'node:crypto';
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, readSync, type BigIntStats } from 'node:fs';
import { deviceNumbers, getXattr, isErrno, listXattr } from '../linux/index.ts';

export interface TreeTextOptions {
  /** Modification times in whole seconds, as many tars have them. */
  readonly wholeSeconds?: boolean;
  /** Which attributes count; all unless given. */
  readonly xattrs?: (name: string) => boolean;
  /** Folders' times, which change with what is made in them. */
  readonly folderTimes?: boolean;
}

/**
 * One line for each name below a folder (names and targets in latin1, a character per byte), by which two trees are compared: kind, permissions,
 * owner, time, attributes, content, and under which name the same inode was seen first.
 */
export function treeText(root: string, options: TreeTextOptions = {}): readonly string[] {
  const first = new Map<bigint, string>();
  const lines: string[] = [];
  const walk = (folder: string): void => {
    const names = readdirSync(place(root, folder), { encoding: 'latin1' }).toSorted();
    for (const name of names) {
      const path = folder === '' ? name : `${folder}/${name}`;
      const stat = lstatSync(place(root, path), { bigint: true });
      lines.push(`${JSON.stringify(path)} ${describe(place(root, path), stat, options)}${linkOf(path, stat, first)}`);
      if (stat.isDirectory()) walk(path);
    }
  };
  walk('');
  return lines;
}

function describe(
  path: Buffer,
  stat: BigIntStats,
  { wholeSeconds = false, xattrs = () => true, folderTimes = true }: TreeTextOptions,
): string {
  const { mode, uid, gid, mtimeNs } = stat;
  const hasTime = folderTimes || !stat.isDirectory();
  const time = hasTime ? `@${wholeSeconds ? mtimeNs / 1_000_000_000n : mtimeNs}` : '';
  return `${mode.toString(8)} ${uid}:${gid} ${time} ${contentOf(path, stat)} ${attributesOf(path, xattrs)}`;
}

function contentOf(path: Buffer, stat: BigIntStats): string {
  if (stat.isSymbolicLink()) return `-> ${JSON.stringify(readlinkSync(path, { encoding: 'latin1' }))}`;
  if (stat.isFile()) return `${stat.size} ${hashOf(path)}`;
  if (!stat.isBlockDevice() && !stat.isCharacterDevice()) return '';
  const { major, minor } = deviceNumbers(stat.rdev);
  return `${major}:${minor}`;
}

function hashOf(path: Buffer): string {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(1 << 20);
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let got = readSync(file, chunk); got > 0; got = readSync(file, chunk)) hash.update(chunk.subarray(0, got));
  } finally {
    closeSync(file);
  }
  return hash.digest('hex').slice(0, 16);
}

function attributesOf(path: Buffer, isWanted: (name: string) => boolean): string {
  const names = namesOf(path).filter(isWanted).toSorted();
  return names.map((name) => `${name}=${getXattr(path, name)?.toString('hex') ?? ''}`).join(' ');
}

function namesOf(path: Buffer): readonly string[] {
  try {
    return listXattr(path);
  } catch (error) {
    if (isErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) return [];
    throw error;
  }
}

function linkOf(path: string, { nlink, ino, ...stat }: BigIntStats, first: Map<bigint, string>): string {
  if (nlink < 2n || (stat.mode & 0o170000n) === 0o040000n) return '';
  const known = first.get(ino);
  if (known === undefined) first.set(ino, path);
  return ` = ${JSON.stringify(known ?? path)}`;
}

function place(root: string, path: string): Buffer {
  return path === '' ? Buffer.from(root) : Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
}
