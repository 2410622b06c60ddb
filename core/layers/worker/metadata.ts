import { closeSync, fchmodSync, fchownSync, futimesSync, lchownSync, lutimesSync, openSync } from 'node:fs';
import { invalidArgument } from '@gantry/sdk';
import { isErrno, listXattr, removeXattr, setTimes, setXattr } from '@gantry/sdk/linux';
import type { TarHeader, TarTime } from '../tar/index.ts';
import { type EntryPath, kernelPath, shown } from './entry-path.ts';
import { isOwnNote } from './overlay-notes.ts';
import { openFolder } from './tree.ts';

/** Owner, permissions, attributes and times, in the order in which the kernel does not undo one by another. */
export function finishFile(
  fd: number,
  header: TarHeader,
  { path, mayInheritGroup }: { readonly path: EntryPath; readonly mayInheritGroup: boolean },
): void {
  const isOwned = header.uid !== 0 || header.gid !== 0 || mayInheritGroup;
  if (isOwned) fchownSync(fd, header.uid, header.gid);
  if ((header.mode & 0o7000) !== 0 || header.xattrs.size > 0) fchmodSync(fd, header.mode & 0o7777);
  setXattrs(fd, header, path);
  setTime(fd, header.mtime);
}

/** `isReused`: it was there before, and the archive's attributes are all it has from now on. */
export function finishFolder(path: EntryPath, header: TarHeader, { isReused = false }: { readonly isReused?: boolean } = {}): void {
  const fd = openSync(kernelPath(path), openFolder);
  try {
    fchownSync(fd, header.uid, header.gid);
    fchmodSync(fd, header.mode & 0o7777);
    if (isReused) removeXattrs(fd, header);
    setXattrs(fd, header, path);
    setTime(fd, header.mtime);
  } finally {
    closeSync(fd);
  }
}

/** Symlinks, devices and fifos: they have their permissions from the start. */
export function finishSpecial(path: EntryPath, header: TarHeader): void {
  const place = kernelPath(path);
  lchownSync(place, header.uid, header.gid);
  setXattrs(place, header, path);
  const { seconds, nanos } = clamped(header.mtime);
  if (nanos === 0) lutimesSync(place, seconds, seconds);
  else setTimes(place, nanosecondsOf(seconds, nanos));
}

/** Owners beyond what the kernel has would wrap around to somebody else; -1 would mean "leave as it is". */
export function checkOwner(header: TarHeader, path: EntryPath): void {
  for (const id of [header.uid, header.gid]) {
    if (id < 0 || id > 0xfffffffe) throw invalidArgument(`${shown(path)}: owner ${id} is out of range`);
  }
}

function setTime(fd: number, time: TarTime): void {
  const { seconds, nanos } = clamped(time);
  if (nanos === 0) futimesSync(fd, seconds, seconds);
  else setTimes(fd, nanosecondsOf(seconds, nanos));
}

/** File systems clamp further to what they can say. */
function clamped({ seconds, nanos }: TarTime): TarTime {
  const limit = 2 ** 40;
  return Math.abs(seconds) > limit ? { seconds: Math.sign(seconds) * limit, nanos: 0 } : { seconds, nanos };
}

function nanosecondsOf(seconds: number, nanos: number): { readonly atimeNs: bigint; readonly mtimeNs: bigint } {
  const all = BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
  return { atimeNs: all, mtimeNs: all };
}

function removeXattrs(fd: number, { xattrs }: TarHeader): void {
  try {
    // Labels of SELinux are the machine's and not the image's.
    for (const name of listXattr(fd)) if (!xattrs.has(name) && !isOwnNote(name) && name !== 'security.selinux') removeXattr(fd, name);
  } catch (error) {
    if (!isErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) throw error;
  }
}

function setXattrs(place: number | string | Buffer, { xattrs }: TarHeader, path: EntryPath): void {
  for (const [name, value] of xattrs) {
    if (isDropped(name)) continue;
    if (name.length > 255 || value.length > 65_536) throw invalidArgument(`${shown(path)}: attribute ${shown(name)} is too large`);
    try {
      setXattr(place, name, value);
    } catch (error) {
      // File systems and kinds of file that take no such attribute lose it, as with Docker.
      if (isErrno(error, 'ENOTSUP', 'EOPNOTSUPP') || (name.startsWith('user.') && isErrno(error, 'EPERM'))) continue;
      if (isErrno(error, 'EINVAL', 'ERANGE', 'E2BIG'))
        throw invalidArgument(`${shown(path)}: attribute ${shown(name)} is not valid`, { cause: error });
      throw error;
    }
  }
}

/** An image must not speak to overlayfs; names without a namespace mean nothing to the kernel. */
function isDropped(name: string): boolean {
  return isOwnNote(name) || !/^(?:user|trusted|security|system)\../.test(name);
}
