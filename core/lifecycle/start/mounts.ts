import { closeSync, mkdirSync, statSync } from 'node:fs';
import { fromErrno, invalidArgument } from '@gantry/sdk';
import { openInRoot, openPath } from '@gantry/sdk/linux';
import type { Entry } from '../entry.ts';
import type { PlannedMount } from '../model.ts';
import type { SpecMount } from '../oci-spec/index.ts';
import type { Room } from '../room.ts';

export interface Attaching {
  /** What is taken back when the start fails. */
  readonly undo: AsyncDisposableStack;
  /** What the sources of mounts need until the runtime has made them. */
  readonly sources: DisposableStack;
}

/** Mounts the container's volumes and images, checks its binds, and answers what the runtime is to mount, parents first. */
export async function attachMounts(room: Room, entry: Entry, attaching: Attaching): Promise<readonly SpecMount[]> {
  const mounts: SpecMount[] = [];
  for (const mount of entry.document.mounts) mounts.push(await specMount(room, entry, mount, attaching));
  return mounts.toSorted((a, b) => depth(a.destination) - depth(b.destination));
}

/** Lets go of the volumes after the process has ended. What fails is told to `onFailure` and does not keep the others. */
export async function detachMounts(room: Room, { id, document }: Pick<Entry, 'id' | 'document'>): Promise<void> {
  for (const name of volumeNames(document.mounts)) await room.parts.volumes.detach(id, name);
}

export function volumeNames(mounts: readonly PlannedMount[]): readonly string[] {
  return [...new Set(mounts.flatMap(({ volume }) => volume?.name ?? []))];
}

async function specMount(room: Room, entry: Entry, mount: PlannedMount, attaching: Attaching): Promise<SpecMount> {
  switch (mount.type) {
    case 'tmpfs':
      return tmpfs(mount);
    case 'bind':
      return bind(mount, bindSource(mount));
    case 'volume':
      return bind(mount, await attachVolume(room, entry, mount, attaching));
    case 'image':
      return bind(mount, inside(attaching.undo.use(await room.parts.images.mount(mount.source)).path, mount.subpath, attaching));
    default:
      return mount.type satisfies never;
  }
}

async function attachVolume({ parts: { volumes } }: Room, { id, name }: Entry, mount: PlannedMount, attaching: Attaching): Promise<string> {
  const volume = mount.volume?.name ?? mount.source;
  const { readOnly, destination, propagation, subpath } = mount;
  const { path } = await volumes.attach(id, name, volume, { readOnly, destination, ...(propagation !== '' && { propagation }) });
  attaching.undo.defer(() => volumes.detach(id, volume));
  return inside(path, subpath, attaching);
}

/**
 * A path inside a volume or image, resolved without leaving it. The runtime is handed the open file, not its name: another container that
 * shares the volume could put a symlink there meanwhile (CVE-2021-25741).
 */
function inside(root: string, subpath: string, { sources }: Attaching): string {
  if (subpath === '') return root;
  try {
    const opened = openInRoot(root, subpath, { flags: openPath });
    sources.defer(() => closeSync(opened));
    return `/proc/${process.pid}/fd/${opened}`;
  } catch (error) {
    throw fromErrno(error, `subpath ${subpath}`);
  }
}

function bindSource({ source, createSource }: PlannedMount): string {
  if (statSync(source, { throwIfNoEntry: false }) !== undefined) return source;
  if (!createSource) throw invalidArgument(`invalid mount config for type "bind": bind source path does not exist: ${source}`);
  try {
    mkdirSync(source, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw fromErrno(error, `error while creating mount source path '${source}'`);
  }
  return source;
}

function bind({ destination, readOnly, propagation, nonRecursive }: PlannedMount, source: string): SpecMount {
  const options = [nonRecursive ? 'bind' : 'rbind', propagation || 'rprivate', ...(readOnly ? ['ro'] : [])];
  return { destination, type: 'bind', source, options };
}

function tmpfs({ destination, tmpfs: given, readOnly }: PlannedMount): SpecMount {
  const has = (flag: string) => given.includes(flag);
  const safe = ['nosuid', 'nodev', 'noexec'].filter((flag) => !has(flag.slice(2)) && !has(flag));
  return { destination, type: 'tmpfs', source: 'tmpfs', options: [...safe, ...given, ...(readOnly ? ['ro'] : [])] };
}

const depth = (path: string) => path.split('/').length;
