import { statSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import {
  alreadyExists,
  type Attachment,
  conflict,
  type Ctx,
  invalidArgument,
  messageOf,
  type Mount,
  notFound,
  notImplemented,
  type Usage,
} from '@gantry/sdk';
import { syncFileSystem } from '@gantry/sdk/linux';
import type {
  AttachRequest,
  CloneRequest,
  CreateRequest,
  DetachRequest,
  RemoveRequest,
  RenameRequest,
  ResizeRequest,
  SnapshotRequest,
  Volume,
  VolumeAnswer,
  VolumeDriver,
  VolumeName,
} from '@gantry/sdk/volume';
import { diskBytesOf, diskMounts, mendDisk, resizeDisk } from './disk.ts';
import { isSubvolume, limitFolder } from './folder.ts';
import { limitOf, makeCopy, makeEmpty } from './making.ts';
import { type Options, readOptions } from './options.ts';
import { type Shape, Store, type Stored } from './store.ts';
import { usageOf } from './usage.ts';

const volumesPerTurn = 100;
const firstProject = 0x47000000;

interface CopyOptions {
  readonly options: Options;
  /** Where it comes from. */
  readonly shape: Shape;
  /** The source's, unless given. */
  readonly sizeBytes: number | undefined;
  readonly signal: AbortSignal;
}

/** Docker's local driver, except that it mounts nothing: it says what to mount. */
export class LocalDriver implements VolumeDriver {
  readonly #store: Store;
  /** By volume, attachment id → read-only. The engine knows its users better; this only keeps a careless caller from pulling data away. */
  readonly #attached = new Map<string, Map<string, boolean>>();
  #lastProject = 0;

  constructor(dataDir: string) {
    this.#store = new Store(dataDir);
  }

  async create({ name, options }: CreateRequest, { signal }: Ctx): Promise<VolumeAnswer> {
    checkName(name);
    const wanted = readOptions(options);
    const known = this.#store.get(name);
    if (known !== undefined) return { volume: this.#volume(name, same(name, known, { options })) };
    const { owner, sizeBytes } = wanted.kind === 'folder' ? wanted : { owner: {}, sizeBytes: undefined };
    const projectId = () => this.#freeProject();
    const stored = await this.#store.create(name, options, (folder) => makeEmpty({ folder, sizeBytes, projectId, signal }, owner));
    return { volume: this.#volume(name, same(name, stored, { options })) };
  }

  async remove({ name, force }: RemoveRequest): Promise<void> {
    checkName(name);
    const users = this.#attached.get(name)?.size ?? 0;
    if (users > 0 && !force) throw conflict(`volume ${name} is attached ${users} times`, { reason: 'VOLUME_BUSY' });
    this.#attached.delete(name);
    await this.#store.remove(name);
  }

  async stat({ name }: VolumeName): Promise<VolumeAnswer> {
    return { volume: this.#volume(name, this.#require(name)) };
  }

  async *list(_: Record<string, never>, { signal }: Ctx): AsyncGenerator<Volume> {
    let looked = 0;
    for (const name of this.#store.names()) {
      const volume = this.#seen(name);
      if (volume !== undefined) yield volume;
      looked += 1;
      if (looked % volumesPerTurn === 0) await new Promise(setImmediate);
      signal.throwIfAborted();
    }
  }

  async attach({ name, attachmentId, readOnly }: AttachRequest, { signal }: Ctx): Promise<{ readonly attachment: Attachment }> {
    const stored = this.#require(name);
    const { snapshotOf } = stored.shape;
    if (snapshotOf !== undefined && !readOnly)
      throw conflict(`volume ${name} is a snapshot of ${snapshotOf}: it can only be attached read-only`, { reason: 'VOLUME_READ_ONLY' });
    const attached = this.#attached.get(name) ?? new Map<string, boolean>();
    if ((attached.get(attachmentId) ?? readOnly) !== readOnly) {
      throw alreadyExists(`attachment ${attachmentId} of volume ${name} exists ${readOnly ? 'read-write' : 'read-only'}`);
    }
    if (stored.shape.diskBytes !== undefined) await mendDisk(this.#store.diskFile(name), signal);
    const mounts = this.#mounts(name, stored);
    this.#attached.set(name, attached.set(attachmentId, readOnly));
    return { attachment: { mounts, shareable: true } };
  }

  async detach({ name, attachmentId }: DetachRequest): Promise<void> {
    const attached = this.#attached.get(name);
    attached?.delete(attachmentId);
    if (attached?.size === 0) this.#attached.delete(name);
  }

  async usage({ name }: VolumeName, { signal }: Ctx): Promise<Usage> {
    const { shape } = this.#ownFolder(name, 'its size is not known');
    if (shape.diskBytes !== undefined)
      return { bytes: statSync(this.#store.diskFile(name)).blocks * 512, capacity: diskBytesOf(this.#store.diskFile(name)) };
    const usage = await usageOf(this.#store.path(name), signal);
    const limit = limitOf({ dataPath: this.#store.path(name), shape });
    return limit === undefined ? usage : { ...usage, capacity: limit.limitBytes };
  }

  async resize({ name, bytes }: ResizeRequest, { signal }: Ctx): Promise<void> {
    if (!Number.isSafeInteger(bytes) || bytes <= 0) throw invalidArgument(`volume ${name} cannot be resized to ${bytes} bytes`);
    const { shape } = this.#ownFolder(name, 'the driver cannot limit it');
    if (shape.diskBytes !== undefined) {
      this.#requireIdle(name, 'resized');
      return resizeDisk(this.#store.diskFile(name), bytes, signal);
    }
    const dataPath = this.#store.path(name);
    const limit = limitOf({ dataPath, shape });
    if (shape.projectId === undefined || limit === undefined)
      throw notImplemented(`volume ${name} was made without a size, so it has none to change`, {
        hint: 'clone it into one with the option size',
      });
    if (limit.usedBytes > bytes) throw conflict(`volume ${name} holds ${limit.usedBytes} bytes, more than ${bytes}`);
    limitFolder(dataPath, shape.projectId, bytes);
    await syncFileSystem(dataPath);
  }

  async clone({ name, from, options: given }: CloneRequest, { signal }: Ctx): Promise<VolumeAnswer> {
    const source = this.#ownFolder(from, 'it cannot be cloned');
    const options = { ...source.options, ...given };
    const asked = readOptions(given);
    const sizeBytes = asked.kind === 'folder' ? asked.sizeBytes : undefined;
    const stored = await this.#copy(name, from, { options, shape: { cloneOf: from }, sizeBytes, signal });
    return { volume: this.#volume(name, stored) };
  }

  async snapshot({ name, from }: SnapshotRequest, { signal }: Ctx): Promise<VolumeAnswer> {
    const { options } = this.#ownFolder(from, 'there can be no snapshot of it');
    const stored = await this.#copy(name, from, { options, shape: { snapshotOf: from }, sizeBytes: undefined, signal });
    return { volume: this.#volume(name, stored) };
  }

  async rename({ name, to }: RenameRequest): Promise<VolumeAnswer> {
    checkName(name);
    checkName(to);
    const [known, taken] = [this.#store.get(name), this.#store.get(to)];
    if (known === undefined && taken !== undefined) return { volume: this.#volume(to, taken) };
    if (known === undefined) throw missing(name);
    if (taken !== undefined) throw alreadyExists(`volume ${to} exists already`);
    this.#requireIdle(name, 'renamed');
    this.#store.rename(name, to);
    return { volume: this.#volume(to, this.#require(to)) };
  }

  /** A new volume with what the other one has. `already_exists` when there is one that did not come about so. */
  async #copy(name: string, from: string, wanted: CopyOptions): Promise<Stored> {
    const { options, shape, sizeBytes, signal } = wanted;
    checkName(name);
    const source = this.#require(from);
    if (readOptions(options).kind === 'mount')
      throw invalidArgument(`a copy of volume ${from} is a folder: it cannot have the options type, device and o`);
    const known = this.#store.get(name);
    if (known !== undefined) return same(name, known, wanted);
    const isWritten = [...(this.#attached.get(from)?.values() ?? [])].includes(false);
    if (isWritten && (source.shape.diskBytes !== undefined || !isSubvolume(this.#store.path(from))))
      throw conflict(`volume ${from} is attached, and this file system cannot copy it while somebody writes`, {
        reason: 'VOLUME_BUSY',
        hint: 'stop the containers that use it, or keep volumes on btrfs',
      });
    const made = { dataPath: this.#store.path(from), diskFile: this.#store.diskFile(from), shape: source.shape };
    const projectId = () => this.#freeProject();
    const stored = await this.#store.create(name, options, async (folder) => ({
      ...(await makeCopy({ folder, sizeBytes, projectId, signal }, made)),
      ...shape,
    }));
    return same(name, stored, wanted);
  }

  #mounts(name: string, { options, shape }: Stored): readonly Mount[] {
    const readOnly = shape.snapshotOf !== undefined;
    if (shape.diskBytes !== undefined) return diskMounts(this.#store.diskPath(name), { readOnly });
    const wanted = readOptions(options);
    if (wanted.kind === 'mount') return [wanted.mount];
    return [{ type: 'bind', source: { data: this.#store.dataPath(name) }, ...(readOnly ? { readOnly } : {}) }];
  }

  /** Ids that no volume has; those of removed ones are not used again soon. */
  #freeProject(): number {
    const used = this.#store.names().map((name) => this.#store.get(name)?.shape.projectId ?? 0);
    this.#lastProject = Math.max(firstProject, this.#lastProject, ...used) + 1;
    return this.#lastProject;
  }

  #requireIdle(name: string, what: string): void {
    const users = this.#attached.get(name)?.size ?? 0;
    if (users > 0) throw conflict(`volume ${name} is attached ${users} times: it cannot be ${what} now`, { reason: 'VOLUME_BUSY' });
  }

  /** A volume whose data is the driver's. */
  #ownFolder(name: string, otherwise: string): Stored {
    const stored = this.#require(name);
    if (readOptions(stored.options).kind === 'mount') throw notImplemented(`volume ${name} is mounted from elsewhere, so ${otherwise}`);
    return stored;
  }

  #require(name: string): Stored {
    checkName(name);
    const stored = this.#store.get(name);
    if (stored === undefined) throw missing(name);
    return stored;
  }

  /** A damaged volume must not hide the others. */
  #seen(name: string): Volume | undefined {
    try {
      const stored = this.#store.get(name);
      return stored === undefined ? undefined : this.#volume(name, stored);
    } catch (error) {
      return { name, scope: 'local', options: {}, status: { error: messageOf(error) }, dataPath: this.#store.dataPath(name) };
    }
  }

  #volume(name: string, { created, options, shape }: Stored): Volume {
    return {
      name,
      scope: 'local',
      created,
      options,
      ...(shape.diskBytes === undefined ? { dataPath: this.#store.dataPath(name) } : {}),
      ...(shape.snapshotOf === undefined ? {} : { snapshotOf: shape.snapshotOf }),
      ...(['uid', 'gid', 'mode'].some((option) => option in options) ? { keepsRoot: true } : {}),
    };
  }
}

/** The volume that is there, when it is what was asked for. */
function same(name: string, known: Stored, { options, shape = {} }: { readonly options: Options; readonly shape?: Shape }): Stored {
  const hasOrigin = known.shape.cloneOf === shape.cloneOf && known.shape.snapshotOf === shape.snapshotOf;
  const isCreate = shape.cloneOf === undefined && shape.snapshotOf === undefined;
  if ((isCreate || hasOrigin) && isDeepStrictEqual({ ...known.options }, { ...options })) return known;
  throw alreadyExists(`volume ${name} exists with other options`);
}

function missing(name: string): Error {
  return notFound(`volume ${name} not found`, { reason: 'VOLUME_NOT_FOUND' });
}

function checkName(name: string): void {
  if (name === '') throw invalidArgument('a volume needs a name');
  if (name.length > 255) throw invalidArgument(`volume name has ${name.length} characters; at most 255`);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw invalidArgument(`volume name ${JSON.stringify(name)} has other characters than [a-zA-Z0-9_.-]`);
  }
}
