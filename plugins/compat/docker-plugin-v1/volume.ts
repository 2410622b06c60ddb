import { isDeepStrictEqual } from 'node:util';
import {
  alreadyExists,
  type Attachment,
  codeOf,
  conflict,
  type Ctx,
  internal,
  invalidArgument,
  notFound,
  type StateStore,
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
import { type Answer, field, isObject, listOf, objectOf, textOf } from './answer.ts';
import type { Connection } from './connection.ts';
import { placeOf, textOfPlace } from './mountpoint.ts';
import { deviceOf, type MountRecord, type Options, VolumeRecords } from './volume-records.ts';

/**
 * `VolumeDriver.*` of Docker's plugins. An attachment is a `Mount` with its id, sent once however often it is asked for, and undone by one
 * `Unmount`; the plugin mounts, the engine binds what it answered.
 */
export class DockerVolumeDriver implements VolumeDriver {
  readonly #plugin: Connection;
  readonly #records: VolumeRecords;
  #scope: Promise<Volume['scope']> | undefined;

  constructor(plugin: Connection, state: StateStore) {
    this.#plugin = plugin;
    this.#records = new VolumeRecords(state, plugin.name);
  }

  async create({ name, options }: CreateRequest, ctx: Ctx): Promise<VolumeAnswer> {
    checkName(name);
    const known = await this.#records.options(name);
    const there = known === undefined ? undefined : await this.#look(name, ctx);
    if (known !== undefined && there !== undefined) {
      if (!isDeepStrictEqual(known, { ...options })) throw alreadyExists(`volume ${name} exists with other options`);
      return { volume: { ...there, options: known } };
    }
    try {
      await this.#plugin.call('VolumeDriver.Create', { Name: name, Opts: options }, ctx.signal);
    } catch (error) {
      if (codeOf(error) !== 'already_exists') throw error;
    }
    await this.#records.putOptions(name, options);
    const made = (await this.#look(name, ctx)) ?? { name, scope: await this.#scopeOf(ctx), options };
    return { volume: { ...made, options } };
  }

  async remove({ name, force }: RemoveRequest, ctx: Ctx): Promise<void> {
    checkName(name);
    const users = await this.#records.mounts(name);
    if (users > 0 && !force) throw conflict(`volume ${name} is attached ${users} times`, { reason: 'VOLUME_BUSY' });
    try {
      await this.#plugin.call('VolumeDriver.Remove', { Name: name }, ctx.signal);
    } catch (error) {
      if (codeOf(error) !== 'not_found') throw error;
    }
    await this.#records.forget(name);
  }

  async stat({ name }: VolumeName, ctx: Ctx): Promise<VolumeAnswer> {
    checkName(name);
    const volume = await this.#look(name, ctx);
    if (volume === undefined) throw notFound(`volume ${name} not found`, { reason: 'VOLUME_NOT_FOUND' });
    return { volume: { ...volume, options: (await this.#records.options(name)) ?? {} } };
  }

  async *list(_: Record<string, never>, ctx: Ctx): AsyncGenerator<Volume> {
    const scope = await this.#scopeOf(ctx);
    for (const entry of await this.#entries(ctx)) {
      const name = textOf(entry, 'Name');
      // Made by others, under a name that nobody could ask for here.
      if (isName(name)) yield { ...volumeOf(entry, name, scope), options: (await this.#records.options(name)) ?? {} };
    }
  }

  async attach({ name, attachmentId, readOnly }: AttachRequest, ctx: Ctx): Promise<{ readonly attachment: Attachment }> {
    checkName(name);
    const known = await this.#records.mount(name, attachmentId);
    if (known !== undefined && known.readOnly !== readOnly) {
      throw alreadyExists(`attachment ${attachmentId} of volume ${name} exists ${known.readOnly ? 'read-only' : 'read-write'}`);
    }
    const mountpoint = isThere(known, this.#plugin) ? known.mountpoint : await this.#mount(name, attachmentId, { readOnly, ctx });
    const source = placeOf(mountpoint, this.#plugin.scopes, this.#plugin.name);
    return { attachment: { mounts: [{ type: 'bind', source }] } };
  }

  async detach({ name, attachmentId }: DetachRequest, ctx: Ctx): Promise<void> {
    // Many plugins only count: an Unmount too many would take the volume away from another container.
    if (!isName(name) || (await this.#records.mount(name, attachmentId)) === undefined) return;
    await this.#unmount(name, attachmentId, ctx.signal);
  }

  async #mount(name: string, attachmentId: string, { readOnly, ctx }: { readonly readOnly: boolean; readonly ctx: Ctx }): Promise<string> {
    const { signal } = ctx;
    await this.#records.putMount(name, attachmentId, { readOnly });
    try {
      const mountpoint = textOf(await this.#plugin.call('VolumeDriver.Mount', { Name: name, ID: attachmentId }, signal), 'Mountpoint');
      if (mountpoint === '') throw internal(`plugin ${this.#plugin.name} answered no mountpoint for volume ${name}`);
      const place = placeOf(mountpoint, this.#plugin.scopes, this.#plugin.name);
      const device = deviceOf(place);
      if (device === undefined)
        throw internal(`plugin ${this.#plugin.name} says that volume ${name} is at ${textOfPlace(place)}, where no folder is`);
      await this.#records.putMount(name, attachmentId, { readOnly, mountpoint, device });
      return mountpoint;
    } catch (error) {
      // Refused: nothing is mounted. Otherwise nobody knows, and the record stays until a detach has undone it.
      if (isRefusal(error)) await this.#records.putMount(name, attachmentId, undefined);
      throw error;
    }
  }

  async #unmount(name: string, attachmentId: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#plugin.call('VolumeDriver.Unmount', { Name: name, ID: attachmentId }, signal);
    } catch (error) {
      if (codeOf(error) !== 'not_found') throw error;
    }
    await this.#records.putMount(name, attachmentId, undefined);
  }

  /** undefined: the plugin has no such volume. Plugins from before `Get` are asked for all. */
  async #look(name: string, ctx: Ctx): Promise<Volume | undefined> {
    try {
      const found = field(await this.#plugin.call('VolumeDriver.Get', { Name: name }, ctx.signal), 'Volume');
      return isObject(found) ? volumeOf(found, name, await this.#scopeOf(ctx)) : undefined;
    } catch (error) {
      if (codeOf(error) === 'not_found') return undefined;
      if (codeOf(error) !== 'not_implemented') throw error;
    }
    const found = (await this.#entries(ctx)).find((entry) => field(entry, 'Name') === name);
    if (found !== undefined) return volumeOf(found, name, await this.#scopeOf(ctx));
    return (await this.#records.options(name)) === undefined ? undefined : { name, scope: await this.#scopeOf(ctx), options: {} };
  }

  async #entries({ signal }: Ctx): Promise<readonly Answer[]> {
    try {
      return listOf(await this.#plugin.call('VolumeDriver.List', {}, signal), 'Volumes');
    } catch (error) {
      if (codeOf(error) === 'not_implemented') return [];
      throw error;
    }
  }

  #scopeOf({ signal }: Ctx): Promise<Volume['scope']> {
    this.#scope ??= this.#plugin.call('VolumeDriver.Capabilities', {}, signal).then(
      (answer) => (textOf(objectOf(answer, 'Capabilities'), 'Scope').toLowerCase() === 'global' ? 'global' : 'local'),
      (error: unknown) => {
        if (codeOf(error) !== 'not_implemented') this.#scope = undefined;
        return 'local';
      },
    );
    return this.#scope;
  }
}

function isThere(known: MountRecord | undefined, { scopes, name }: Connection): known is Required<MountRecord> {
  if (known?.mountpoint === undefined) return false;
  return deviceOf(placeOf(known.mountpoint, scopes, name)) === known.device;
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'reason' in error && error.reason === 'PLUGIN_REFUSED';
}

function volumeOf(entry: Answer, name: string, scope: Volume['scope']): Volume {
  const created = dateOf(textOf(entry, 'CreatedAt'));
  const status = statusOf(objectOf(entry, 'Status'));
  return { name, scope, options: {}, ...(created === undefined ? {} : { created }), ...(status === undefined ? {} : { status }) };
}

/** Go's zero time, and what is no time, are none. */
function dateOf(text: string): Date | undefined {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) || date.getUTCFullYear() < 1970 ? undefined : date;
}

function statusOf(status: Answer): Options | undefined {
  const entries = Object.entries(status).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

const isName = (name: string): boolean => name.length <= 255 && /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name);

function checkName(name: string): void {
  if (isName(name)) return;
  throw invalidArgument(
    `volume name ${JSON.stringify(name.slice(0, 40))} is not 1 to 255 characters of [a-zA-Z0-9_.-] that begin with a letter or digit`,
  );
}
