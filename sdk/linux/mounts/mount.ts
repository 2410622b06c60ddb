import { declare, type Pointer } from '../calls.ts';
import { checked } from '../errno.ts';
import { cPath, type Path } from '../path.ts';

/** Flags of mount(2). */
export const mountFlags = {
  rdonly: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  synchronous: 0x10,
  remount: 0x20,
  mandlock: 0x40,
  dirsync: 0x80,
  nosymfollow: 0x100,
  noatime: 0x400,
  nodiratime: 0x800,
  bind: 0x1000,
  move: 0x2000,
  rec: 0x4000,
  silent: 0x8000,
  unbindable: 0x20000,
  private: 0x40000,
  slave: 0x80000,
  shared: 0x100000,
  relatime: 0x200000,
  strictatime: 0x1000000,
  lazytime: 0x2000000,
} as const;
export type MountFlag = keyof typeof mountFlags;

/** Words of fstab that are no options of the file system: the flag of mount(2) that each stands for, null for what holds anyway. */
export const fstabFlags: Readonly<Record<string, MountFlag | null>> = {
  ro: 'rdonly',
  rw: null,
  nosuid: 'nosuid',
  nodev: 'nodev',
  noexec: 'noexec',
  sync: 'synchronous',
  async: null,
  dirsync: 'dirsync',
  noatime: 'noatime',
  nodiratime: 'nodiratime',
  relatime: 'relatime',
  strictatime: 'strictatime',
  lazytime: 'lazytime',
  nosymfollow: 'nosymfollow',
  silent: 'silent',
  defaults: null,
  suid: null,
  dev: null,
  exec: null,
};

/** Flags of umount2(2). `detach` removes it from the tree at once and for good when its last user leaves. */
export const unmountFlags = { force: 1, detach: 2, expire: 4, nofollow: 8 } as const;
export type UnmountFlag = keyof typeof unmountFlags;

export interface MountOptions {
  readonly type?: string;
  readonly flags?: ReadonlySet<MountFlag> | number;
  /** The file system's own options, comma-separated, at most 4095 bytes. */
  readonly data?: string | Uint8Array;
}

/** mount(2). Throws a Node-like error; a second call mounts a second time, on top. Blocks this thread: never use it for what may hang (NFS). */
export function mount(source: Path, target: Path, { type, flags = 0, data }: MountOptions = {}): void {
  const result = callMount(
    cPath(source),
    cPath(target),
    type ?? null,
    BigInt(bits(flags, mountFlags)),
    data === undefined ? null : cPath(data),
  );
  checked(result, 'mount', { path: source, dest: target });
}

/** umount2(2). Throws EINVAL when nothing is mounted there and EBUSY when it is in use. A symlink at the end is never followed. `target` may be a descriptor of the root of the mount. */
export function umount2(target: Path | number, flags: ReadonlySet<UnmountFlag> | number = 0): void {
  const all = bits(flags, unmountFlags);
  if (typeof target === 'number') checked(callUmount(`/proc/self/fd/${target}`, all), 'umount', `descriptor ${target}`);
  else checked(callUmount(cPath(target), all | unmountFlags.nofollow), 'umount', target);
}

/**
 * Makes the mount at `.` the root of all that shares this mount namespace, and takes the former root out of it: pivot_root(2). `.` must be a mount point; the
 * working directory is the new root then.
 */
export function pivotRoot(): void {
  checked(callPivotRoot('.', '.'), 'pivot_root');
  // The old root is mounted over the new one now, at the same place.
  umount2('.', unmountFlags.detach);
}

/** Changes how mounts under a mount point propagate: mount(2) with one of MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE. */
export function setPropagation(target: Path, propagation: Propagation, { recursive = false }: { readonly recursive?: boolean } = {}): void {
  mount('none', target, { flags: mountFlags[propagation] | (recursive ? mountFlags.rec : 0) });
}
export type Propagation = 'shared' | 'private' | 'slave' | 'unbindable';

const callMount = declare<(source: Pointer, target: Pointer, type: Pointer, flags: bigint, data: Pointer) => number>('mount', 'int', [
  'str',
  'str',
  'str',
  'ulong',
  'str',
]);
const callUmount = declare<(target: Pointer, flags: number) => number>('umount2', 'int', ['str', 'int']);

const callPivotRoot = declare<(root: string, old: string) => number>('pivot_root', 'int', ['str', 'str']);

function bits<Name extends string>(flags: ReadonlySet<Name> | number, table: Readonly<Record<Name, number>>): number {
  if (typeof flags === 'number') return flags;
  let all = 0;
  for (const flag of flags) all |= table[flag];
  return all;
}
