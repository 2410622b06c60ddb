import { constants } from 'node:fs';
import { declare, errno } from '../calls.ts';
import { checked } from '../errno.ts';
import type { FileFacts } from './facts.ts';

/** A name in an open folder: bytes with a NUL at the end. With them a tree of any names and any depth is walked. */
export type Name = Uint8Array;

export interface Place {
  readonly folder: number;
  readonly name: Name;
}

/** A path as such a name: absolute, or from the working directory. */
export function anywhere(path: string): Place {
  return { folder: -100, name: Buffer.from(`${path}\0`) };
}

export function openFile(folder: number, name: Name): number {
  return checkedAt(callOpenat(folder, name, reading, 0), 'open', name);
}

export function openFolderAt(folder: number, name: Name): number {
  return checkedAt(callOpenat(folder, name, reading | constants.O_DIRECTORY, 0), 'open', name);
}

/** Undefined when something has that name. */
export function createFile(folder: number, name: Name, mode: number): number | undefined {
  const file = callOpenat(folder, name, creating, mode);
  if (file < 0 && errno() === eexist) return undefined;
  return checkedAt(file, 'open', name);
}

/** One that is there is as good. */
export function makeFolder(folder: number, name: Name): void {
  if (callMkdirat(folder, name, 0o700) < 0 && errno() !== eexist) checkedAt(-1, 'mkdir', name);
}

/** False when something has that name. `device` is the kernel's own number. */
export function makeNode(folder: number, name: Name, { mode, device }: Pick<FileFacts, 'mode' | 'device'>): boolean {
  return isNew(callMknodat(process.arch === 'x64' ? 259 : 33, folder, name, mode, device), 'mknod', name);
}

/** False when something has that name. */
export function makeSymlink(folder: number, name: Name, target: Name): boolean {
  return isNew(callSymlinkat(target, folder, name), 'symlink', name);
}

/** Where a symlink leads, with a NUL at the end, in a buffer that the next call writes over. */
export function readSymlink(folder: number, name: Name): Name {
  const length = checkedAt(callReadlinkat(folder, name, link, link.length - 1), 'readlink', name);
  link[length] = 0;
  return link;
}

/** Another name for the same file. The last of as many as a file may have is a rename: then it had one too many. */
export function linkFrom(from: Place, { folder, name }: Place): void {
  if (callLinkat(from.folder, from.name, folder, name, 0) === 0) return;
  if (errno() !== emlink) checkedAt(-1, 'link', name);
  checkedAt(callRenameat(from.folder, from.name, folder, name), 'rename', name);
}

export function unlink(folder: number, name: Name): void {
  checkedAt(callUnlinkat(folder, name, 0), 'unlink', name);
}

export function removeFolder(folder: number, name: Name): void {
  checkedAt(callUnlinkat(folder, name, 0x200), 'rmdir', name);
}

export function close(file: number): void {
  callClose(file);
}

export function shown(name: Name): string {
  const end = name.indexOf(0);
  return Buffer.from(end < 0 ? name : name.subarray(0, end)).toString();
}

/** Gives the answer of a call on a name back, or throws its errno. The name is made a text for the error alone. */
export function checkedAt(result: number, syscall: string, name: Name): number {
  return result < 0 ? checked(result, syscall, shown(name)) : result;
}

function isNew(result: number, syscall: string, name: Name): boolean {
  if (result === 0) return true;
  if (errno() === eexist) return false;
  checkedAt(result, syscall, name);
  return false;
}

const closeOnExec = 0o2000000;
/** A fifo that somebody put there meanwhile must not be waited for. */
const reading = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | closeOnExec;
const creating = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | closeOnExec;
const eexist = 17;
const emlink = 31;
/** PATH_MAX. */
const link = new Uint8Array(4097);

const callOpenat = declare<(folder: number, name: Name, flags: number, mode: number) => number>('openat', 'int', [
  'int',
  'void *',
  'int',
  'uint',
]);
const callMkdirat = declare<(folder: number, name: Name, mode: number) => number>('mkdirat', 'int', ['int', 'void *', 'uint']);
const callMknodat = declare<(number: number, folder: number, name: Name, mode: number, device: number) => number>('syscall', 'long', [
  'long',
  'long',
  'void *',
  'long',
  'long',
]);
const callSymlinkat = declare<(target: Name, folder: number, name: Name) => number>('symlinkat', 'int', ['void *', 'int', 'void *']);
const callReadlinkat = declare<(folder: number, name: Name, target: Uint8Array, sizeBytes: number) => number>('readlinkat', 'long', [
  'int',
  'void *',
  'void *',
  'size_t',
]);
const callLinkat = declare<(from: number, fromName: Name, folder: number, name: Name, flags: number) => number>('linkat', 'int', [
  'int',
  'void *',
  'int',
  'void *',
  'int',
]);
const callRenameat = declare<(from: number, fromName: Name, folder: number, name: Name) => number>('renameat', 'int', [
  'int',
  'void *',
  'int',
  'void *',
]);
const callUnlinkat = declare<(folder: number, name: Name, flags: number) => number>('unlinkat', 'int', ['int', 'void *', 'int']);
const callClose = declare<(file: number) => number>('close', 'int', ['int']);
