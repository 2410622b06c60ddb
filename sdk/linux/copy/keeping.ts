import { chmodSync, statSync } from 'node:fs';
import { declare } from '../calls.ts';
import { checked, isErrno } from '../errno.ts';
import { getXattr, listXattr, removeXattr, setXattr } from '../files/xattr.ts';
import type { Path } from '../path.ts';
import { checkedAt, type Name, type Place } from '../files/at.ts';
import type { FileFacts } from '../files/facts.ts';

/** Whose new files are by themselves; undefined where that is not to be known. */
export interface Owner {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** Makes an empty folder one from which what comes into it inherits nothing, and tells what new files are like there. */
export function clearDefaults(folder: string): Owner {
  chmodSync(folder, 0o700);
  for (const name of namesOf(folder) ?? []) if (name.startsWith('system.posix_acl')) removeXattr(folder, name);
  const { uid, gid } = statSync(folder);
  return { uid: uid === process.geteuid?.() ? uid : undefined, gid: gid === process.getegid?.() ? gid : undefined };
}

/**
 * Gives what was made the owner, permissions, attributes and times of what it is a copy of. In this order: a change of owner takes set-uid bits and capabilities away, and
 * every change is one of ctime alone after the times are set.
 */
export class Keeping {
  readonly #owner: Owner;
  readonly #umask: number;
  #hasXattrs = true;

  constructor(owner: Owner, umask: number) {
    this.#owner = owner;
    this.#umask = umask;
  }

  /** Of open files; a folder is made with no permissions of its original. */
  open(from: number, to: number, facts: FileFacts): void {
    const { uid, gid, mode, isFolder } = facts;
    if (isFolder || uid !== this.#owner.uid || gid !== this.#owner.gid) checked(callFchown(to, uid, gid), 'fchown');
    if (isFolder || (mode & (0o7000 | this.#umask)) !== 0) checked(callFchmod(to, mode & 0o7777), 'fchmod');
    this.#copyXattrs(from, to);
    checked(callFutimens(to, facts.times), 'futimens');
  }

  /** Of what is better not opened: symlinks, devices, fifos, sockets. */
  named(from: Place, to: Place, facts: FileFacts): void {
    const { uid, gid, mode, isSymlink } = facts;
    const { folder, name } = to;
    if (uid !== this.#owner.uid || gid !== this.#owner.gid) checkedAt(callFchownat(folder, name, uid, gid, noFollow), 'fchownat', name);
    if (!isSymlink && (mode & (0o7000 | this.#umask)) !== 0) checkedAt(callFchmodat(folder, name, mode & 0o7777, 0), 'fchmodat', name);
    this.#copyXattrs(pathOf(from), pathOf(to));
    checkedAt(callUtimensat(folder, name, facts.times, noFollow), 'utimensat', name);
  }

  #copyXattrs(from: Path | number, to: Path | number): void {
    for (const name of this.#namesOf(from)) {
      const value = getXattr(from, name);
      if (value !== undefined) setXattr(to, name, value);
    }
  }

  #namesOf(file: Path | number): readonly string[] {
    const names = this.#hasXattrs ? namesOf(file) : undefined;
    this.#hasXattrs = names !== undefined;
    return names ?? [];
  }
}

/** Undefined where the file system has no such thing. */
function namesOf(file: Path | number): readonly string[] | undefined {
  try {
    return listXattr(file);
  } catch (error) {
    if (isErrno(error, 'ENOTSUP', 'ENOSYS')) return undefined;
    throw error;
  }
}

/** Attributes of what is not open are told by path alone. */
function pathOf({ folder, name }: Place): Path {
  return Buffer.concat([Buffer.from(`/proc/thread-self/fd/${folder}/`), name.subarray(0, name.indexOf(0))]);
}

const noFollow = 0x100;

const callFchown = declare<(file: number, uid: number, gid: number) => number>('fchown', 'int', ['int', 'uint', 'uint']);
const callFchownat = declare<(folder: number, name: Name, uid: number, gid: number, flags: number) => number>('fchownat', 'int', [
  'int',
  'void *',
  'uint',
  'uint',
  'int',
]);
const callFchmod = declare<(file: number, mode: number) => number>('fchmod', 'int', ['int', 'uint']);
const callFchmodat = declare<(folder: number, name: Name, mode: number, flags: number) => number>('fchmodat', 'int', [
  'int',
  'void *',
  'uint',
  'int',
]);
const callFutimens = declare<(file: number, times: Uint32Array) => number>('futimens', 'int', ['int', 'void *']);
const callUtimensat = declare<(folder: number, name: Name, times: Uint32Array, flags: number) => number>('utimensat', 'int', [
  'int',
  'void *',
  'void *',
  'int',
]);
