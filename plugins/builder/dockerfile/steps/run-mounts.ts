import { createHash, randomUUID } from 'node:crypto';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { codeOf, invalidArgument } from '@gantry/sdk';
import { buildCacheLabel } from '@gantry/sdk/builder';
import type { MountSpec } from '@gantry/sdk/engine';
import type { Job } from '../job.ts';
import type { RunMount } from '../parse/mounts.ts';
import { filesImage, sourceImage } from '../stage/sources.ts';
import { agentSocket } from './agent-socket.ts';
import type { Planning } from './planned.ts';
import { writableCopy } from './writable-copy.ts';

interface OpenMounts {
  readonly mounts: readonly MountSpec[];
  readonly env: readonly string[];
}

/** What of the mounts makes a RUN what it is: not what secrets say, nor what a cache holds. */
export function shownMounts(mounts: readonly RunMount[]): readonly unknown[] {
  return mounts.map((mount) => [
    mount.type,
    mount.target,
    mount.source,
    mount.from,
    mount.type === 'cache' ? mount.id : undefined,
    ...(mount.type === 'bind' && mount.isWritable ? ['rw'] : []),
  ]);
}

/** Makes what the mounts of a RUN show. What is opened is closed when the step is done. */
export async function openMounts(planning: Planning, mounts: readonly RunMount[], opened: AsyncDisposableStack): Promise<OpenMounts> {
  const found: OpenMounts[] = [];
  for (const mount of mounts) found.push(await open[mount.type](planning, mount, opened));
  return { mounts: found.flatMap((each) => each.mounts), env: found.flatMap(({ env }) => env) };
}

type Open = (planning: Planning, mount: RunMount, opened: AsyncDisposableStack) => Promise<OpenMounts>;

const open: Readonly<Record<RunMount['type'], Open>> = {
  /** The files of a stage or an image, or of the context, which becomes an image for that. */
  bind: async (planning, mount, opened) => {
    const { job, stageIndex } = planning;
    const source = posix.join('/', mount.source ?? '/').slice(1);
    const image =
      mount.from === undefined
        ? await filesImage(job, { tree: await job.context(), excluded: job.excluded })
        : await sourceImage(job, mount.from, stageIndex);
    if (mount.isWritable) {
      const volume = opened.use(await writableCopy(job, image));
      return one({
        Type: 'volume',
        Source: volume.name,
        Target: target(planning, mount),
        VolumeOptions: { NoCopy: true, Subpath: source },
      });
    }
    return one({ Type: 'image', Source: image, Target: target(planning, mount), ImageOptions: { Subpath: source } });
  },
  tmpfs: async (planning, mount) =>
    one({
      Type: 'tmpfs',
      Target: target(planning, mount),
      ...(mount.sizeBytes === undefined ? {} : { TmpfsOptions: { SizeBytes: mount.sizeBytes } }),
    }),
  /** A volume whose name is a digest: whatever an id says, it cannot lead anywhere. */
  cache: async (planning, mount, opened) => {
    const { job } = planning;
    const path = target(planning, mount);
    const key = createHash('sha256')
      .update(mount.id ?? path)
      .digest('hex');
    const name = mount.sharing === 'private' ? `${cachePrefix}${randomUUID()}` : `${cachePrefix}${key}`;
    if (mount.sharing === 'private') opened.defer(() => removeUnused(job, name));
    if (mount.sharing === 'locked') opened.use(await lock(name, job.signal));
    const labels = { [buildCacheLabel]: mount.id ?? path };
    // One that is there is as whoever used it left it.
    await job.request.engine.volumes.create({ name, driver: 'local', options: ownerOptions(mount), labels });
    return one({ Type: 'volume', Source: name, Target: path, ReadOnly: !mount.isWritable });
  },
  secret: async (planning, mount, opened) => {
    const { job } = planning;
    const id = mount.id ?? posix.basename(mount.target ?? mount.source ?? '');
    const secret = await job.request.secret?.(id, { signal: job.signal });
    if (secret === undefined) {
      if (mount.isRequired) throw invalidArgument(`secret ${id}: not found`);
      return { mounts: [], env: [] };
    }
    const env = mount.env === undefined ? [] : [`${mount.env}=${secret.toString()}`];
    if (mount.env !== undefined && mount.target === undefined) return { mounts: [], env };
    const file = secretFile(job.request.runDir, secret, mount, opened);
    const path = mount.target === undefined ? `/run/secrets/${id}` : target(planning, mount);
    return { mounts: [{ Type: 'bind', Source: file, Target: path, ReadOnly: true, ...(await ownersFor(job)) }], env };
  },
  ssh: async (planning, mount, opened) => {
    const { job } = planning;
    const id = mount.id ?? 'default';
    const connect = await job.request.ssh?.(id, { signal: job.signal });
    if (connect === undefined) {
      if (mount.isRequired) throw invalidArgument(`ssh agent ${id}: not forwarded`, { hint: 'forward it by docker buildx build --ssh' });
      return { mounts: [], env: [] };
    }
    const path = mount.target === undefined ? `/run/buildkit/ssh_agent.${posix.basename(id)}` : target(planning, mount);
    const socket = opened.use(await agentSocket(job.request.runDir, connect, mount));
    return { mounts: [{ Type: 'bind', Source: socket.path, Target: path, ...(await ownersFor(job)) }], env: [`SSH_AUTH_SOCK=${path}`] };
  },
};

const cachePrefix = 'build-cache-';

/** Whom a new cache belongs to, as the driver's options say it. */
function ownerOptions({ uid, gid, mode }: RunMount): Readonly<Record<string, string>> {
  const owner = uid === 0 && gid === 0 ? {} : { uid: String(uid), gid: String(gid) };
  return { ...owner, ...(mode === undefined ? {} : { mode: mode.toString(8).padStart(4, '0') }) };
}

function one(mount: MountSpec): OpenMounts {
  return { mounts: [mount], env: [] };
}

function target({ state }: Planning, { target: given = '' }: RunMount): string {
  return posix.resolve('/', state.config.WorkingDir ?? '', given);
}

/** Files of the step's own belong to its users: where containers have user namespaces, binds have the machine's unless they say so. */
async function ownersFor({ request }: Job): Promise<Pick<MountSpec, 'IdMap'>> {
  const { securityOptions } = await request.engine.system.info();
  return securityOptions.includes('name=userns') ? { IdMap: '' } : {};
}

/** In memory, for as long as the step runs; the folder is root's alone, the file its reader's. */
function secretFile(runDir: string, secret: Buffer, { mode = 0o400, uid, gid }: RunMount, opened: AsyncDisposableStack): string {
  const folder = join(runDir, 'secrets');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, randomUUID());
  opened.defer(() => rmSync(file, { force: true }));
  writeFileSync(file, secret, { mode, flag: 'wx' });
  chownSync(file, uid, gid);
  return file;
}

/** A container that is kept because it failed keeps it too. */
async function removeUnused(job: Job, name: string): Promise<void> {
  try {
    await job.request.engine.volumes.remove(name, { force: false });
  } catch (error) {
    if (codeOf(error) !== 'conflict') throw error;
  }
}

const held = new Map<string, Promise<void>>();

/** One step at a time has a cache that is `locked`. */
async function lock(name: string, signal: AbortSignal): Promise<AsyncDisposable> {
  for (let before = held.get(name); before !== undefined; before = held.get(name)) {
    await before;
    signal.throwIfAborted();
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  held.set(name, promise);
  return {
    [Symbol.asyncDispose]: async () => {
      held.delete(name);
      resolve();
    },
  };
}
