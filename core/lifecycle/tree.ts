import { closeSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { type Abortable, fromErrno } from '@gantry/sdk';
import {
  bindMount,
  type FileOwner,
  isErrno,
  mount,
  openInRoot,
  openPath,
  readMountinfo,
  rootOf,
  statxMount,
  withFileOwner,
} from '@gantry/sdk/linux';
import type { Rootfs } from '../layers/types.ts';
import { randomId } from '../support/index.ts';
import type { Entry } from './entry.ts';
import { openInside } from './inside/aside.ts';
import type { PlannedMount } from './model.ts';
import type { SpecMount } from './oci-spec/index.ts';
import type { Room } from './room.ts';
import { placedMounts } from './start/destinations.ts';
import { attachMounts } from './start/mounts.ts';
import { stage } from './start/staging.ts';
import { idMapsOf, openUserNamespaceFor } from './user-namespace.ts';

/**
 * The container's files with its volumes and binds, as it sees them or would if it ran. Of a running one through /proc: its owner may leave and is not led out. Of any other
 * a view of its own, until disposed. The volumes in it are attached by somebody else than the container, so that this may be started or removed meanwhile.
 */
export async function borrowTree(room: Room, entry: Entry, options: Abortable = {}): Promise<Rootfs> {
  if (entry.run !== undefined) return { path: `/proc/${entry.run.pid}/root`, [Symbol.asyncDispose]: () => Promise.resolve() };
  // What a tmpfs would hold is nowhere while nothing runs.
  const mounts = entry.document.mounts.filter(({ type }) => type !== 'tmpfs');
  if (mounts.length === 0) return await room.parts.layers.borrow(entry.id, options);
  await using undo = new AsyncDisposableStack();
  const rootfs = undo.use(await room.parts.layers.borrow(entry.id, options));
  const path = join(room.folders.staged, `files-${randomId()}`);
  await showWithMounts({ room, entry, undo, rootfs: rootfs.path, path, ...options }, mounts);
  const held = undo.move();
  return { path, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

interface View extends Abortable {
  readonly room: Room;
  readonly entry: Entry;
  readonly undo: AsyncDisposableStack;
  readonly rootfs: string;
  /** Where the view is to be. */
  readonly path: string;
}

/** Mounts last, so that they go first. */
async function showWithMounts({ room, entry, undo, rootfs, path, signal }: View, mounts: readonly PlannedMount[]): Promise<void> {
  const { id, name, document } = entry;
  const user = { id: randomId(), name, document };
  const placed = placedMounts(rootfs, mounts);
  const maps = idMapsOf(room, entry);
  const userns = maps && undo.use(await openUserNamespaceFor(room, maps, user.id));
  const specs = await attachMounts({ room, entry: user, tellOf: id, undo, sources: undo, signal, userns }, placed);
  undo.use(await stage(rootfs, path, { recursive: false }));
  // What is mounted in it is not to appear in the root that it shows.
  mount('none', path, { flags: new Set(['private']) });
  for (const spec of specs) await showMount(path, spec, { id, owner: maps && rootOf(maps) });
}

/** By the mount table: the file system of a volume may be one that does not answer. */
function isProc(descriptor: number): boolean {
  const { mountId } = statxMount(descriptor);
  return readMountinfo().some((mounted) => mounted.mountId === mountId && mounted.type === 'proc');
}

async function showMount(
  root: string,
  { source, destination, options }: SpecMount,
  { id, owner }: { readonly id: string; readonly owner: FileOwner | undefined },
): Promise<void> {
  const what = `mount ${destination} of container ${id.slice(0, 12)}`;
  const from = await openInside(source, '');
  try {
    // The links of /proc lead out of any root. What else is mounted below a bind stays out for the same reason.
    if (isProc(from.descriptor)) return;
    const at = withFileOwner(owner, () => openPlace(root, destination, from.isFolder));
    try {
      const limits = options.includes('ro') ? { readOnly: true } : {};
      bindMount(from.descriptor, at, { recursive: false, propagation: 'private', ...limits });
    } finally {
      closeSync(at);
    }
  } catch (error) {
    throw fromErrno(error, what);
  } finally {
    closeSync(from.descriptor);
  }
}

/** The mount point, made where there is none, as the runtime does. Symlinks of the image are followed already; none leads out. */
function openPlace(root: string, destination: string, isFolder: boolean): number {
  const parts = destination.split('/').filter((part) => part !== '');
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    const parent = openInRoot(root, posix.join('/', ...parts.slice(0, index)), { flags: openPath });
    try {
      const child = `/proc/self/fd/${parent}/${part}`;
      if (isLast && !isFolder) writeFileSync(child, '', { flag: 'ax' });
      else mkdirSync(child, { mode: 0o755 });
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    } finally {
      closeSync(parent);
    }
  }
  return openInRoot(root, destination, { flags: openPath });
}
