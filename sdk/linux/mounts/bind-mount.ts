import { closeSync } from 'node:fs';
import { isErrno } from '../errno.ts';
import { mountAttributes, mountSetattr, moveMount, openTree } from './mount-api.ts';
import { mount, mountFlags, setPropagation, umount2, unmountFlags, type Propagation } from './mount.ts';
import type { Path } from '../path.ts';

export interface BindMountOptions {
  /** Takes the mounts below the source along; the limits below then hold for all of them. */
  readonly recursive?: boolean;
  readonly readOnly?: boolean;
  readonly noSuid?: boolean;
  readonly noDev?: boolean;
  readonly noExec?: boolean;
  readonly noSymlinks?: boolean;
  readonly propagation?: Propagation;
  /** Maps owners by this user namespace (Linux 5.12). */
  readonly usernsFd?: number;
}

/**
 * Shows `source` at `target` as well; both may be O_PATH descriptors, so that nobody can exchange a path in between.
 * The mount appears with its limits in force (open_tree, mount_setattr, move_mount). On kernels before 5.12 it is made by mount(2) in two steps,
 * and limits hold for the top mount only. A failure leaves nothing mounted.
 */
export function bindMount(source: Path | number, target: Path | number, options: BindMountOptions = {}): void {
  const { recursive = false, propagation, usernsFd } = options;
  const set = limits(options);
  let tree: number;
  try {
    tree = openTree(source, { clone: true, recursive });
  } catch (error) {
    if (isErrno(error, 'ENOSYS')) return bindMountOld(source, target, options);
    throw error;
  }
  try {
    if (set !== 0 || usernsFd !== undefined) mountSetattr(tree, { set, recursive, ...(usernsFd === undefined ? {} : { usernsFd }) });
    moveMount(tree, target);
    // A shared parent makes what is attached to it shared, so this comes last.
    if (propagation) mountSetattr(tree, { propagation: mountFlags[propagation], recursive });
  } catch (error) {
    if (isErrno(error, 'ENOSYS') && usernsFd === undefined) return bindMountOld(source, target, options);
    throw error;
  } finally {
    closeSync(tree);
  }
}

function bindMountOld(source: Path | number, target: Path | number, options: BindMountOptions): void {
  const { recursive = false, propagation } = options;
  const from = pathOf(source);
  const to = pathOf(target);
  mount(from, to, { flags: mountFlags.bind | (recursive ? mountFlags.rec : 0) });
  try {
    // The first five bits are the same in both interfaces.
    const set = limits(options) & 0x1f;
    if (set !== 0) mount('none', to, { flags: mountFlags.bind | mountFlags.remount | set });
    if (propagation) setPropagation(to, propagation, { recursive });
  } catch (error) {
    umount2(to, unmountFlags.detach);
    throw error;
  }
}

function limits({ readOnly, noSuid, noDev, noExec, noSymlinks }: BindMountOptions): number {
  return (
    (readOnly ? mountAttributes.rdonly : 0) |
    (noSuid ? mountAttributes.nosuid : 0) |
    (noDev ? mountAttributes.nodev : 0) |
    (noExec ? mountAttributes.noexec : 0) |
    (noSymlinks ? mountAttributes.nosymfollow : 0)
  );
}

function pathOf(place: Path | number): Path {
  return typeof place === 'number' ? `/proc/thread-self/fd/${place}` : place;
}
