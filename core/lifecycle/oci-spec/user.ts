import { closeSync, constants, fstatSync, readSync } from 'node:fs';
import { invalidArgument } from '@gantry/sdk';
import { isErrno, openInRoot } from '@gantry/sdk/linux';

export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  /** The primary one among them: without it a process could give up a group that is denied something (CVE-2022-36109). */
  readonly additionalGids: readonly number[];
  /** From passwd; "/" when the user has no entry. */
  readonly home: string;
}

/**
 * USER[:GROUP] and the added groups, looked up in the container's own /etc/passwd and /etc/group. Both are hostile: opened inside the
 * root, regular files of at most 1 MiB only, never waited for. A missing name is `invalid_argument` in Docker's words.
 */
export function resolveUser(root: string, user: string, groupAdd: readonly string[] = []): ProcessUser {
  const [name = '', group] = user === '' ? ['0'] : user.split(':');
  const passwd = readTable(root, '/etc/passwd');
  const byName = (wanted: string) => passwd.find(([entry, , uid]) => (isNumeric(wanted) ? uid === canonical(wanted) : entry === wanted));
  const entry = byName(name);
  if (entry === undefined && !isNumeric(name)) throw invalidArgument(`unable to find user ${name}: no matching entries in passwd file`);
  const groups = groupAdd.length > 0 || group !== undefined || entry !== undefined ? readTable(root, '/etc/group') : [];
  const login = entry?.[0];
  const memberOf =
    group === undefined && login !== undefined ? groups.filter(([, , , members = '']) => members.split(',').includes(login)) : [];
  const added = groupAdd.map((wanted) => groupId(groups, wanted));
  const gid = group === undefined || group === '' ? toId(entry?.[3] ?? '0', name) : groupId(groups, group);
  return {
    uid: entry === undefined ? Number(name) : toId(entry[2], name),
    gid,
    additionalGids: [...new Set([gid, ...memberOf.map(([, , member]) => toId(member, name)), ...added])],
    home: entry?.[5] || '/',
  };
}

const isNumeric = (text: string) => /^\d+$/.test(text);
const canonical = (text: string) => String(Number(text));
const largestFile = 2 ** 20;

function groupId(groups: readonly (readonly string[])[], wanted: string): number {
  if (isNumeric(wanted)) return toId(wanted, wanted);
  const entry = groups.find(([name]) => name === wanted);
  if (entry === undefined) throw invalidArgument(`unable to find group ${wanted}: no matching entries in group file`);
  return toId(entry[2], wanted);
}

function toId(text: string | undefined, name: string): number {
  if (text === undefined || !isNumeric(text) || Number(text) >= 2 ** 31)
    throw invalidArgument(`user or group ${name} has no valid id: ${JSON.stringify(text)}`);
  return Number(text);
}

function readTable(root: string, path: string): readonly (readonly string[])[] {
  const text = readSmallFile(root, path);
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function readSmallFile(root: string, path: string): string {
  let file: number;
  try {
    file = openInRoot(root, path, { flags: constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENXIO')) return '';
    throw error;
  }
  try {
    const facts = fstatSync(file);
    if (!facts.isFile()) throw invalidArgument(`${path} in the image is not a regular file`);
    if (facts.size > largestFile) throw invalidArgument(`${path} in the image has ${facts.size} bytes; at most ${largestFile} are read`);
    const bytes = Buffer.alloc(facts.size);
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(file);
  }
}
