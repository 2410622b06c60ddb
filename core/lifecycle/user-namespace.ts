import { closeSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { conflict, fromErrno, invalidArgument, unavailable } from '@gantry/sdk';
import type { HostConfig } from '@gantry/sdk/engine';
import { type IdMaps, mount, mountFlags, openUserNamespace, outsideId } from '@gantry/sdk/linux';
import { failpoint } from '../support/index.ts';
import type { Entry } from './entry.ts';
import type { ProcessUser } from './oci-spec/index.ts';
import type { Room } from './room.ts';
import { removePlace } from './start/staging.ts';
import type { ContainerDefaults } from './types.ts';

/** A container's user namespace while what it needs is made. */
export interface UserNamespace {
  /** For setns(2), and for mounts that show owners by its maps. */
  readonly path: string;
  readonly maps: IdMaps;
}

/** Which maps a container runs with: those of its run, or of one that would begin now. */
export function idMapsOf(room: Room, { run, document }: Pick<Entry, 'run' | 'document'>): IdMaps | undefined {
  return run === undefined ? wantedIdMaps(document.hostConfig, room.parts.defaults) : run.idMaps;
}

export function wantedIdMaps({ UsernsMode = '' }: HostConfig, defaults: ContainerDefaults | undefined): IdMaps | undefined {
  return UsernsMode === 'host' ? undefined : defaults?.idMaps;
}

/** Refuses in Docker's words what a container in a user namespace of its own cannot have. */
export function checkUserNamespace({ Privileged, NetworkMode, PidMode }: HostConfig): void {
  if (Privileged === true)
    throw invalidArgument(
      'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode',
      { hint: '--userns=host' },
    );
  if (NetworkMode === 'host')
    throw invalidArgument("cannot share the host's network namespace when user namespaces are enabled", { hint: '--userns=host' });
  if (PidMode === 'host')
    throw invalidArgument('cannot share the host PID namespace when user namespaces are enabled', { hint: '--userns=host' });
}

/**
 * The user namespace that a container is to be started in, or its files are to be seen by, shown at a path until the stack is disposed; undefined: the machine's. One that
 * shares another's network, IPC or PID namespace shares its user namespace, too: rights over the former are had in the latter.
 */
export async function openUserNamespaceOf(room: Room, entry: Entry, sources: AsyncDisposableStack): Promise<UserNamespace | undefined> {
  const maps = idMapsOf(room, entry);
  if (maps === undefined) return undefined;
  checkUserNamespace(entry.document.hostConfig);
  const shared = sharedWith(room, entry);
  if (shared !== undefined) return { path: shared, maps };
  const path = join(room.folders.staged, `${entry.id}-userns`);
  sources.use(await pinned(maps, path));
  failpoint('start.userns');
  return { path, maps };
}

/** The same for who only looks into its files. */
export async function openUserNamespaceFor(room: Room, maps: IdMaps, name: string): Promise<UserNamespace & Disposable> {
  const path = join(room.folders.staged, `${name}-userns`);
  const pin = await pinned(maps, path);
  return { path, maps, [Symbol.dispose]: () => pin[Symbol.dispose]() };
}

/** The runtime makes its mounts as root of the container, who has to be able to walk there. */
export function checkReachable(rootfs: string): void {
  for (let folder = dirname(dirname(rootfs)); folder !== '/'; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) !== 0) continue;
    throw unavailable(`containers with a user namespace of their own cannot reach ${rootfs}: ${folder} is closed to them`, {
      hint: `chmod o+x ${folder}, or another --exec-root`,
    });
  }
}

/** The kernel lets nobody be who the user namespace does not have, and runtimes say so in words that name nobody. */
export function checkMappedUser({ uid, gid, additionalGids }: ProcessUser, maps: IdMaps | undefined): void {
  if (maps === undefined) return;
  const fail = (kind: string, id: number) =>
    invalidArgument(`${kind} ${id} is not in the user namespace of the container`, {
      hint: 'run it with --userns=host, or give the user of userns-remap more ids in /etc/subuid and /etc/subgid',
    });
  if (outsideId(uid, maps.uids) === undefined) throw fail('user', uid);
  const group = [gid, ...additionalGids].find((id) => outsideId(id, maps.gids) === undefined);
  if (group !== undefined) throw fail('group', group);
}

async function pinned(maps: IdMaps, path: string): Promise<Disposable> {
  const descriptor = await openUserNamespace(maps);
  try {
    removePlace(path);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, '', { flag: 'wx', mode: 0o600 });
    mount(`/proc/thread-self/fd/${descriptor}`, path, { flags: mountFlags.bind });
  } catch (error) {
    removePlace(path);
    throw fromErrno(error, `user namespace at ${path}`);
  } finally {
    closeSync(descriptor);
  }
  return { [Symbol.dispose]: () => removePlace(path) };
}

function sharedWith(room: Room, { document: { hostConfig } }: Entry): string | undefined {
  const { NetworkMode = '', IpcMode = '', PidMode = '' } = hostConfig;
  const donors = [NetworkMode, IpcMode, PidMode].flatMap((mode) => /^container:(.+)$/.exec(mode)?.[1] ?? []);
  const spaces = new Map(donors.map((donor) => userNamespaceOf(room, donor)));
  if (spaces.size > 1) throw conflict('cannot share namespaces of two containers that have different user namespaces');
  return [...spaces.values()][0];
}

/** By its inode: containers may share one. */
function userNamespaceOf(room: Room, donor: string): readonly [inode: number, path: string] {
  const { id, name, run } = room.store.find(donor);
  if (run === undefined) throw conflict(`cannot join namespace of a non running container: container ${id} is not running`);
  if (run.idMaps === undefined)
    throw conflict(`cannot share a namespace of container ${name}, which has no user namespace of its own`, {
      hint: 'both with --userns=host, or neither',
    });
  const path = `/proc/${run.pid}/ns/user`;
  return [statSync(path).ino, path];
}
