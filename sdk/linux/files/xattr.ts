import { declare, errno, type Pointer } from '../calls.ts';
import { checked, errnoError } from '../errno.ts';
import { cPath, type Path } from '../path.ts';

/** Extended attributes (xattr(7)) of a path, whose last symlink is never followed, or of an open file. Values are bytes, at most 64 KiB. */

/** Sets or replaces one. Throws ENOTSUP where the file system, or the kind of file, takes none of that namespace. */
export function setXattr(file: Path | number, name: string, value: Uint8Array): void {
  const result =
    typeof file === 'number'
      ? callFset(file, cPath(name), value, value.byteLength, 0)
      : callLset(cPath(file), cPath(name), value, value.byteLength, 0);
  if (result < 0) throw failure('setxattr', file, name);
}

/** The value, or undefined when it is not there. */
export function getXattr(file: Path | number, name: string): Buffer | undefined {
  const result =
    typeof file === 'number'
      ? callFget(file, cPath(name), scratch, scratch.length)
      : callLget(cPath(file), cPath(name), scratch, scratch.length);
  if (result >= 0) return Buffer.from(scratch.subarray(0, result));
  // Most files lack most attributes, and an error with its stack costs ten times the call.
  if (errno() === enodata) return undefined;
  throw failure('getxattr', file, name);
}

/** The names, in the file system's order. */
export function listXattr(file: Path | number): readonly string[] {
  const result = typeof file === 'number' ? callFlist(file, scratch, scratch.length) : callLlist(cPath(file), scratch, scratch.length);
  if (result < 0) throw failure('listxattr', file);
  return result === 0 ? [] : scratch.toString('utf8', 0, result - 1).split('\0');
}

/** Takes one away. Throws ENODATA when it is not there. */
export function removeXattr(file: Path | number, name: string): void {
  const result = typeof file === 'number' ? callFremove(file, cPath(name)) : callLremove(cPath(file), cPath(name));
  checked(result, 'removexattr', { path: place(file), detail: name });
}

const enodata = 61;

/** XATTR_SIZE_MAX and XATTR_LIST_MAX; one for all calls, since none of them waits. */
const scratch = Buffer.alloc(65536);

const value = ['void *', 'size_t'];
const callLset = declare<(path: Pointer, name: Pointer, value: Uint8Array, sizeBytes: number, flags: number) => number>(
  'lsetxattr',
  'int',
  ['str', 'str', ...value, 'int'],
);
const callFset = declare<(file: number, name: Pointer, value: Uint8Array, sizeBytes: number, flags: number) => number>('fsetxattr', 'int', [
  'int',
  'str',
  ...value,
  'int',
]);
const callLget = declare<(path: Pointer, name: Pointer, value: Uint8Array, sizeBytes: number) => number>('lgetxattr', 'long', [
  'str',
  'str',
  ...value,
]);
const callFget = declare<(file: number, name: Pointer, value: Uint8Array, sizeBytes: number) => number>('fgetxattr', 'long', [
  'int',
  'str',
  ...value,
]);
const callLlist = declare<(path: Pointer, value: Uint8Array, sizeBytes: number) => number>('llistxattr', 'long', ['str', ...value]);
const callFlist = declare<(file: number, value: Uint8Array, sizeBytes: number) => number>('flistxattr', 'long', ['int', ...value]);
const callLremove = declare<(path: Pointer, name: Pointer) => number>('lremovexattr', 'int', ['str', 'str']);
const callFremove = declare<(file: number, name: Pointer) => number>('fremovexattr', 'int', ['int', 'str']);

function failure(syscall: string, file: Path | number, name?: string): ReturnType<typeof errnoError> {
  return errnoError(syscall, { path: place(file), detail: name });
}

function place(file: Path | number): Path | undefined {
  return typeof file === 'number' ? undefined : file;
}
