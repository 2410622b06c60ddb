import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Abortable, fromErrno, invalidArgument } from '@gantry/sdk';
import { isThere } from '../../execute/index.ts';
import type { Entry } from '../entry.ts';
import type { PlannedMount } from '../model.ts';
import type { SpecMount } from '../oci-spec/index.ts';
import type { Room } from '../room.ts';
import { parseIdMaps, shownBy } from '../validate/index.ts';
import { checkPropagation } from './propagation.ts';
import type { UserNamespace } from '../user-namespace.ts';
import { stage, type StageOptions } from './staging.ts';

export interface Attaching extends Abortable {
  readonly room: Room;
  readonly entry: Entry;
  /** The container's; its images, and volumes that are not folders of the machine's, show owners by it. */
  readonly userns?: UserNamespace | undefined;
  /** What is taken back when the start fails. */
  readonly undo: AsyncDisposableStack;
  /** What the runtime needs until it has made its mounts. */
  readonly sources: AsyncDisposableStack;
}

/** Who has the mounts is known by its id. */
type AttachingMounts = Omit<Attaching, 'entry'> & { readonly entry: Pick<Entry, 'id' | 'name' | 'document'>; readonly tellOf?: string };

/** Mounts the container's volumes and images, checks its binds, and answers what the runtime is to mount, in this order. */
export async function attachMounts(attaching: AttachingMounts, placed: readonly PlannedMount[]): Promise<readonly SpecMount[]> {
  const mounts: SpecMount[] = [];
  for (const mount of placed) mounts.push(await specMount(attaching, mount));
  return mounts;
}

/** Lets go of the volumes after the process has ended. What fails is told to `onFailure` and does not keep the others. */
export async function detachMounts(room: Room, { id, document }: Pick<Entry, 'id' | 'document'>): Promise<void> {
  for (const name of volumeNames(document.mounts)) await room.parts.volumes.detach(id, name);
}

export function volumeNames(mounts: readonly PlannedMount[]): readonly string[] {
  return [...new Set(mounts.flatMap(({ volume }) => volume?.name ?? []))];
}

async function specMount(attaching: AttachingMounts, mount: PlannedMount): Promise<SpecMount> {
  switch (mount.type) {
    case 'tmpfs':
      return tmpfs(mount);
    case 'bind':
      return bind(mount, await attachBind(attaching, mount));
    case 'volume':
      return bind(mount, await attachVolume(attaching, mount));
    case 'image':
      return bind(mount, await attachImage(attaching, mount));
    default:
      return mount.type satisfies never;
  }
}

async function attachVolume(attaching: AttachingMounts, mount: PlannedMount): Promise<string> {
  const { id, name } = attaching.entry;
  const told = attaching.tellOf === undefined ? {} : { tellOf: attaching.tellOf };
  const { volumes } = attaching.room.parts;
  const volume = mount.volume?.name ?? mount.source;
  const { readOnly, destination, propagation } = mount;
  const { path, showsHost } = await volumes.attach(id, name, volume, {
    readOnly,
    destination,
    labels: attaching.entry.document.config.Labels ?? {},
    signal: attaching.signal,
    ...told,
    ...(propagation !== '' && { propagation }),
  });
  attaching.undo.defer(() => volumes.detach(id, volume, told));
  // Root of a container is to make no files of root's where others of the machine are: there it is as in a bind.
  return inside(path, attaching, mount, { what: `volume ${volume}`, isMapped: !showsHost });
}

async function attachImage(attaching: AttachingMounts, mount: PlannedMount): Promise<string> {
  const { idMaps = '' } = mount;
  const own = attaching.userns?.maps;
  // An overlay, as most images are, cannot be mapped any more once it is made.
  const shown = idMaps === '' ? own : shownBy(parseIdMaps(idMaps), own);
  const { path } = attaching.sources.use(
    await attaching.room.parts.images.mount(mount.source, { idMaps: shown, signal: attaching.signal }),
  );
  return inside(path, attaching, { ...mount, idMaps: '' }, { what: `image ${mount.source}`, isMapped: false });
}

async function attachBind(attaching: AttachingMounts, mount: PlannedMount): Promise<string> {
  const source = await bindSource(mount);
  checkPropagation(source, mount.propagation);
  const { readOnly, nonRecursive, recursiveReadOnly = 'try', idMaps = '' } = mount;
  const isDeep = readOnly && !nonRecursive && recursiveReadOnly !== 'off';
  if (!isDeep && idMaps === '') return source;
  return staged(source, attaching, mount, { recursive: !nonRecursive, ...(isDeep && { readOnly: recursiveReadOnly }) });
}

/** A path inside a volume or image, or all of it. */
async function inside(
  root: string,
  attaching: AttachingMounts,
  mount: PlannedMount,
  { what, isMapped }: { readonly what: string; readonly isMapped: boolean },
): Promise<string> {
  const { subpath, idMaps = '' } = mount;
  const userNamespace = isMapped ? attaching.userns?.path : undefined;
  if (subpath === '' && idMaps === '' && userNamespace === undefined) return root;
  return staged(root, attaching, mount, { what, recursive: true, subpath, userNamespace });
}

async function staged(
  source: string,
  { room, entry, sources, userns }: AttachingMounts,
  { destination, idMaps = '' }: PlannedMount,
  options: StageOptions,
): Promise<string> {
  const place = join(room.folders.staged, `${entry.id}-${hash(destination)}`);
  sources.use(await stage(source, place, { ...options, ...(idMaps !== '' && { idMaps: shownBy(parseIdMaps(idMaps), userns?.maps) }) }));
  return place;
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);

async function bindSource({ source, createSource }: PlannedMount): Promise<string> {
  if (await isThere(source)) return source;
  if (!createSource) throw invalidArgument(`invalid mount config for type "bind": bind source path does not exist: ${source}`);
  try {
    mkdirSync(source, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw fromErrno(error, `error while creating mount source path '${source}'`);
  }
  return source;
}

function bind({ destination, readOnly, propagation, nonRecursive }: PlannedMount, source: string): SpecMount {
  // To crun the r of rprivate means a recursive bind, too.
  const spread = (propagation || 'rprivate').replace(/^r/, nonRecursive ? '' : 'r');
  const options = [nonRecursive ? 'bind' : 'rbind', spread, ...(readOnly ? ['ro'] : [])];
  return { destination, type: 'bind', source, options };
}

function tmpfs({ destination, tmpfs: given, readOnly }: PlannedMount): SpecMount {
  const has = (flag: string) => given.includes(flag);
  const safe = ['nosuid', 'nodev', 'noexec'].filter((flag) => !has(flag.slice(2)) && !has(flag));
  return { destination, type: 'tmpfs', source: 'tmpfs', options: [...safe, ...given, ...(readOnly ? ['ro'] : [])] };
}
