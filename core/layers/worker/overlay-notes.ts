import { getXattr, isErrno, isInUserNamespace, setXattr } from '@gantry/sdk/linux';
import { type EntryPath, kernelPath } from './entry-path.ts';

/** In a user namespace overlayfs keeps its notes where it may (option userxattr). Asked before this thread enters a tree without /proc. */
const opaque = isInUserNamespace() ? 'user.overlay.opaque' : 'trusted.overlay.opaque';
const yes = Buffer.from('y');

/** What overlayfs notes for itself is no part of a tree. */
export function isOwnNote(name: string): boolean {
  return name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.');
}

/** Nothing of the lower folder shows through this one. */
export function makeOpaque(folder: EntryPath): void {
  setXattr(kernelPath(folder), opaque, yes);
}

/** By its path, or opened. */
export function isOpaque(folder: EntryPath | number): boolean {
  try {
    return getXattr(typeof folder === 'number' ? folder : kernelPath(folder), opaque)?.toString() === 'y';
  } catch (error) {
    if (isErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) return false;
    throw error;
  }
}
