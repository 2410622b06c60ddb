import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
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
  unavailable,
  type Usage,
} from '@gantry/sdk';
import type {
  AttachRequest,
  CreateRequest,
  DetachRequest,
  RemoveRequest,
  Volume,
  VolumeAnswer,
  VolumeDriver,
  VolumeName,
} from '@gantry/sdk/volume';
import { describeMount, serverName, withServerAddress } from './options.ts';
import { Store, type Stored } from './store.ts';
import { usageOf } from './usage.ts';

const volumesPerTurn = 100;

/** Docker's local driver, except that it mounts nothing: it says what to mount. */
export class LocalDriver implements VolumeDriver {
  readonly #store: Store;
  /** By volume, attachment id → read-only. The engine knows its users better; this only keeps a careless caller from pulling data away. */
  readonly #attached = new Map<string, Map<string, boolean>>();

  constructor(dataDir: string) {
    this.#store = new Store(dataDir);
  }

  async create({ name, options }: CreateRequest): Promise<VolumeAnswer> {
    checkName(name);
    describeMount(options);
    const known = this.#store.get(name);
    if (known !== undefined && !isDeepStrictEqual({ ...known.options }, { ...options })) {
      throw alreadyExists(`volume ${name} exists with other options`);
    }
    return { volume: this.#volume(name, known ?? this.#store.create(name, options)) };
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
    const { options } = this.#require(name);
    const attached = this.#attached.get(name) ?? new Map<string, boolean>();
    if ((attached.get(attachmentId) ?? readOnly) !== readOnly) {
      throw alreadyExists(`attachment ${attachmentId} of volume ${name} exists ${readOnly ? 'read-write' : 'read-only'}`);
    }
    const described = describeMount(options);
    const mount: Mount =
      described === undefined ? { type: 'bind', source: { data: this.#store.dataPath(name) } } : await withAddress(described, signal);
    this.#attached.set(name, attached.set(attachmentId, readOnly));
    return { attachment: { mounts: [mount], shareable: true } };
  }

  async detach({ name, attachmentId }: DetachRequest): Promise<void> {
    const attached = this.#attached.get(name);
    attached?.delete(attachmentId);
    if (attached?.size === 0) this.#attached.delete(name);
  }

  async usage({ name }: VolumeName, { signal }: Ctx): Promise<Usage> {
    const { options } = this.#require(name);
    if (describeMount(options) !== undefined) throw notImplemented(`volume ${name} is mounted from elsewhere, so its size is not known`);
    return usageOf(this.#store.path(name), signal);
  }

  #require(name: string): Stored {
    checkName(name);
    const stored = this.#store.get(name);
    if (stored === undefined) throw notFound(`volume ${name} not found`, { reason: 'VOLUME_NOT_FOUND' });
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

  #volume(name: string, { created, options }: Stored): Volume {
    return { name, scope: 'local', created, options, dataPath: this.#store.dataPath(name) };
  }
}

function checkName(name: string): void {
  if (name === '') throw invalidArgument('a volume needs a name');
  if (name.length > 255) throw invalidArgument(`volume name has ${name.length} characters; at most 255`);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw invalidArgument(`volume name ${JSON.stringify(name)} has other characters than [a-zA-Z0-9_.-]`);
  }
}

/** The kernel's network file systems take addresses, not names. */
async function withAddress(mount: Mount, signal: AbortSignal): Promise<Mount> {
  const server = serverName(mount);
  if (server === undefined || isIP(server) !== 0) return mount;
  try {
    const { address } = await lookup(server);
    signal.throwIfAborted();
    return withServerAddress(mount, address);
  } catch (error) {
    signal.throwIfAborted();
    throw unavailable(`address of ${server} not found`, { cause: error });
  }
}
