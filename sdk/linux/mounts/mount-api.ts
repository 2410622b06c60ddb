import { readSync } from 'node:fs';
import { declare, type Pointer } from '../calls.ts';
import { checked, errnoError, isErrno } from '../errno.ts';
import { cPath, type Path } from '../path.ts';

/** The calls of the newer mount API (Linux 5.2, mount_setattr 5.12), by number since C libraries before glibc 2.36 lack them. Every descriptor is close-on-exec. */

/** MOUNT_ATTR_* of fsmount(2) and mount_setattr(2). */
export const mountAttributes = {
  rdonly: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  noatime: 0x10,
  strictatime: 0x20,
  nodiratime: 0x80,
  idmap: 0x100000,
  nosymfollow: 0x200000,
} as const;

/** Makes a context for a new file system: fsopen(2). Throws ENODEV for a type that the kernel lacks and ENOSYS before Linux 5.2. Close the descriptor. */
export function fsopen(type: string): number {
  return checked(callFsopen(430, cPath(type), 1), 'fsopen', type);
}

/** Sets a text option: fsconfig(2) FSCONFIG_SET_STRING. The kernel takes 255 bytes at most and says EINVAL beyond. */
export function fsconfigString(context: number, key: string, value: Path): void {
  configure(context, 1, key, value);
}

/** Sets an option that has no value, e.g. `ro`. */
export function fsconfigFlag(context: number, key: string): void {
  configure(context, 0, key);
}

/** Makes the superblock from what was set. */
export function fsconfigCreate(context: number): void {
  configure(context, 6);
}

/** A detached mount of the created superblock: fsmount(2). `attributes` is a sum of `mountAttributes`. */
export function fsmount(context: number, attributes = 0): number {
  const result = callFsmount(432, context, 1, attributes);
  if (result < 0) throw contextError(context, 'fsmount');
  return result;
}

/** Attaches a detached mount (by its descriptor) at a path or an O_PATH descriptor: move_mount(2). */
export function moveMount(mounted: number, target: Path | number): void {
  const [directory, path] = at(target);
  const result = callMoveMount(429, mounted, '', directory, path, 4 | (typeof target === 'number' ? 0x40 : 0));
  checked(result, 'move_mount', typeof target === 'number' ? {} : target);
}

export interface OpenTreeOptions {
  /** A detached copy, to be attached elsewhere; otherwise only a handle. */
  readonly clone?: boolean;
  /** Copies the mounts below it too. */
  readonly recursive?: boolean;
}

/** A handle on, or a detached copy of, what is mounted at a path or an O_PATH descriptor: open_tree(2). */
export function openTree(source: Path | number, { clone = false, recursive = false }: OpenTreeOptions = {}): number {
  const [directory, path] = at(source);
  const flags = 0x80000 | (clone ? 1 : 0) | (clone && recursive ? atRecursive : 0) | (typeof source === 'number' ? atEmptyPath : 0);
  return checked(callOpenTree(428, directory, path, flags), 'open_tree', typeof source === 'number' ? {} : source);
}

export interface MountAttributeChange {
  /** Sums of `mountAttributes`. */
  readonly set?: number;
  readonly clear?: number;
  /** MS_SHARED, MS_PRIVATE, MS_SLAVE or MS_UNBINDABLE of `mountFlags`. */
  readonly propagation?: number;
  /** A user namespace for an id-mapped mount. */
  readonly usernsFd?: number;
  readonly recursive?: boolean;
}

/** Changes a mount, or a whole tree of them in one step: mount_setattr(2). Changes all or nothing. ENOSYS before Linux 5.12. */
export function mountSetattr(
  target: Path | number,
  { set = 0, clear = 0, propagation = 0, usernsFd, recursive = false }: MountAttributeChange,
): void {
  const attributes = new BigUint64Array([
    BigInt(set | (usernsFd === undefined ? 0 : mountAttributes.idmap)),
    BigInt(clear),
    BigInt(propagation),
    BigInt(usernsFd ?? 0),
  ]);
  const [directory, path] = at(target);
  const flags = (typeof target === 'number' ? atEmptyPath : 0) | (recursive ? atRecursive : 0);
  const result = callMountSetattr(442, directory, path, flags, attributes, attributes.byteLength);
  checked(result, 'mount_setattr', typeof target === 'number' ? {} : target);
}

const atFdcwd = -100;
const atEmptyPath = 0x1000;
const atRecursive = 0x8000;

const callFsopen = declare<(number: 430, type: Pointer, flags: number) => number>('syscall', 'long', ['long', 'str', 'long']);
const callFsconfig = declare<(number: 431, context: number, command: number, key: Pointer, value: Pointer, extra: number) => number>(
  'syscall',
  'long',
  ['long', 'long', 'long', 'str', 'str', 'long'],
);
const callFsmount = declare<(number: 432, context: number, flags: number, attributes: number) => number>('syscall', 'long', [
  'long',
  'long',
  'long',
  'long',
]);
const callMoveMount = declare<(number: 429, from: number, fromPath: Pointer, to: number, toPath: Pointer, flags: number) => number>(
  'syscall',
  'long',
  ['long', 'long', 'str', 'long', 'str', 'long'],
);
const callOpenTree = declare<(number: 428, directory: number, path: Pointer, flags: number) => number>('syscall', 'long', [
  'long',
  'long',
  'str',
  'long',
]);
const callMountSetattr = declare<
  (number: 442, directory: number, path: Pointer, flags: number, attributes: BigUint64Array, sizeBytes: number) => number
>('syscall', 'long', ['long', 'long', 'str', 'long', 'void *', 'size_t']);

function at(place: Path | number): readonly [number, string | Uint8Array] {
  return typeof place === 'number' ? [place, ''] : [atFdcwd, cPath(place)];
}

function configure(context: number, command: number, key?: string, value?: Path): void {
  const result = callFsconfig(431, context, command, key === undefined ? null : cPath(key), value === undefined ? null : cPath(value), 0);
  if (result < 0) throw contextError(context, key === undefined ? 'fsconfig' : `fsconfig ${key}`, value);
}

/** The kernel explains itself in the context's log, one line per read: `e overlay: …`. */
function contextError(context: number, syscall: string, path?: Path): Error {
  const error = errnoError(syscall, { path });
  const lines = contextLog(context);
  if (lines.length > 0) error.message += ` (${lines.join('; ')})`;
  return error;
}

function contextLog(context: number): readonly string[] {
  const lines: string[] = [];
  const line = Buffer.alloc(1024);
  try {
    while (lines.length < 16)
      lines.push(
        line
          .toString('utf8', 0, readSync(context, line))
          .replace(/^[ewi] /, '')
          .trim(),
      );
  } catch (error) {
    if (!isErrno(error, 'ENODATA', 'EMSGSIZE')) lines.push(String(error));
  }
  return lines;
}
