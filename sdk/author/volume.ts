import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { alreadyExists, conflict, invalidArgument, notFound, notImplemented } from '../errors.ts';
import { definePlugin, type HostContext, type PluginModule, type Ref, type RefState } from '../plugin.ts';
import type { Attachment, Ctx, Mount, Usage } from '../types/index.ts';
import type {
  AttachRequest,
  CloneRequest,
  CreateRequest,
  DetachRequest,
  RemoveRequest,
  RenameRequest,
  SnapshotRequest,
  Volume,
  VolumeAnswer,
  VolumeDriver,
  VolumeName,
} from '../volume/contract.ts';
import { readOptions, secretNames } from './check.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { type About, featuresOf, manifestOf } from './manifest.ts';
import { Records } from './records.ts';
import { type ObjectSchema, objectSchema, type NoProperties, type Properties, type PropertiesOf } from './schema.ts';
import { Toolbox, type Tools } from './tools.ts';

/** A volume as its author sees it: options checked, converted and with defaults. */
export interface AuthoredVolume<O> {
  readonly name: string;
  readonly options: O;
  readonly created: Date;
}
type Awaitable<T> = T | Promise<T>;
type Method<O, S, Request, Answer> = (made: AuthoredVolume<O>, request: Request, tools: Tools<S>) => Awaitable<Answer>;

export interface VolumeAuthor<O extends Properties, S extends Properties> extends About<O, S> {
  readonly scope?: 'local' | 'global';
  /** Makes what the volume needs; not called again for one that is recorded. What it made is removed with `remove` when it fails half way. */
  create?(made: AuthoredVolume<PropertiesOf<O>>, tools: Tools<PropertiesOf<S>>): Awaitable<void>;
  /** Deletes what `create` made; may be called when nothing is there. */
  remove?(made: AuthoredVolume<PropertiesOf<O>>, tools: Tools<PropertiesOf<S>>): Awaitable<void>;
  /** Describes the mounts; changes nothing that a second call would notice. */
  readonly attach: Method<PropertiesOf<O>, PropertiesOf<S>, AttachRequest, readonly Mount[] | Attachment>;
  readonly detach?: Method<PropertiesOf<O>, PropertiesOf<S>, DetachRequest, void>;
  /** Shown by `docker volume inspect`. */
  status?(made: AuthoredVolume<PropertiesOf<O>>, tools: Tools<PropertiesOf<S>>): Awaitable<Readonly<Record<string, string>>>;
  usage?(made: AuthoredVolume<PropertiesOf<O>>, tools: Tools<PropertiesOf<S>>): Awaitable<Usage>;
  readonly resize?: Method<PropertiesOf<O>, PropertiesOf<S>, { readonly bytes: number }, void>;
  readonly clone?: Method<PropertiesOf<O>, PropertiesOf<S>, { readonly from: AuthoredVolume<PropertiesOf<O>> }, void>;
  /** Like `clone`, into a volume that nobody can attach read-write. */
  readonly snapshot?: Method<PropertiesOf<O>, PropertiesOf<S>, { readonly from: AuthoredVolume<PropertiesOf<O>> }, void>;
  /** Moves what `create` made; not called while it is attached. Done already: nothing to do. */
  readonly rename?: Method<PropertiesOf<O>, PropertiesOf<S>, { readonly to: string }, void>;
}

/**
 * A plugin with one volume driver. The SDK keeps the volumes and who is attached in the plugin's state, checks names and options,
 * recognises repeated requests, serialises calls by volume and refuses to remove what is in use; the author says how to mount.
 */
export function volume<const O extends Properties = NoProperties, const S extends Properties = NoProperties>(
  author: VolumeAuthor<O, S>,
): PluginModule {
  const features = featuresOf(author, ['usage', 'resize', 'clone', 'snapshot', 'rename']);
  return definePlugin({
    manifest: manifestOf('volume', author, features),
    async activate(host) {
      const toolbox = new Toolbox(host, author.settings);
      const driver = new AuthoredDriver(author, toolbox, host);
      return {
        drivers: { volume: { [author.name]: withFeatures(driver, author) } },
        configure: async (config, secrets) => toolbox.configure(config, secrets),
        selfTest: async () => [toolbox.check()],
        reconcile: (refs) => driver.reconcile(refs),
      };
    },
  });
}

interface VolumeRecord {
  /** Of secret options only a digest: the engine keeps their values, and sends them with every attach. */
  readonly options: Readonly<Record<string, string>>;
  readonly secrets: string;
  readonly createdMs: number;
  /** Attachment id → read-only. */
  readonly attached: Readonly<Record<string, boolean>>;
  readonly snapshotOf?: string;
  /** A copy of that one, which a repetition of the request is told by. */
  readonly cloneOf?: string;
}

interface Making<O extends Properties, S extends Properties> {
  readonly make: (made: AuthoredVolume<PropertiesOf<O>>, tools: Tools<PropertiesOf<S>>) => Awaitable<void> | undefined;
  /** What it is a copy of. */
  readonly origin?: Pick<VolumeRecord, 'cloneOf' | 'snapshotOf'>;
}

class AuthoredDriver<O extends Properties, S extends Properties> implements VolumeDriver {
  readonly #author: VolumeAuthor<O, S>;
  readonly #toolbox: Toolbox<S>;
  readonly #records: Records<VolumeRecord>;
  readonly #schema: ObjectSchema;
  readonly #secret: readonly string[];
  readonly #queue = new KeyedQueue();

  constructor(author: VolumeAuthor<O, S>, toolbox: Toolbox<S>, host: HostContext) {
    this.#author = author;
    this.#toolbox = toolbox;
    this.#records = new Records(host.state, 'volume/');
    this.#schema = objectSchema(author.options);
    this.#secret = secretNames(this.#schema);
  }

  create(request: CreateRequest, ctx: Ctx): Promise<VolumeAnswer> {
    return this.#make(request, ctx, { make: (made, tools) => this.#author.create?.(made, tools) });
  }

  async remove({ name, force }: RemoveRequest, ctx: Ctx): Promise<void> {
    checkName(name);
    await this.#queue.run(name, ctx.signal, async () => {
      const record = await this.#records.get(name);
      if (record === undefined) return;
      const users = Object.keys(record.attached).length;
      if (users > 0 && !force) throw conflict(`volume ${name} is attached ${users} times`, { reason: 'VOLUME_BUSY' });
      await this.#author.remove?.(this.#volume(name, record, record.options), this.#toolbox.for(ctx));
      await this.#records.remove(name);
    });
  }

  async stat({ name }: VolumeName, ctx: Ctx): Promise<VolumeAnswer> {
    return { volume: await this.#shown(name, await this.#require(name), ctx) };
  }

  async *list(_: Record<string, never>, ctx: Ctx): AsyncGenerator<Volume> {
    for (const { id, value } of await this.#records.list()) {
      ctx.signal.throwIfAborted();
      yield plain(id, value, this.#author.scope);
    }
  }

  async attach(request: AttachRequest, ctx: Ctx): Promise<{ readonly attachment: Attachment }> {
    const { name, attachmentId, readOnly } = request;
    return this.#queue.run(name, ctx.signal, async () => {
      const record = await this.#require(name);
      if (record.snapshotOf !== undefined && !readOnly)
        throw conflict(`volume ${name} is a snapshot of ${record.snapshotOf}: it can only be attached read-only`, {
          reason: 'VOLUME_READ_ONLY',
        });
      const held = record.attached[attachmentId];
      if (held !== undefined && held !== readOnly) {
        throw alreadyExists(`attachment ${attachmentId} of volume ${name} exists ${held ? 'read-only' : 'read-write'}`, {
          reason: 'ATTACHMENT_EXISTS',
        });
      }
      const secrets = this.#secretsOf(request);
      const made = this.#volume(name, record, { ...record.options, ...secrets });
      const answer = await this.#author.attach(made, request, this.#toolbox.for(ctx));
      const attachment: Attachment = isMounts(answer) ? { mounts: answer, shareable: true } : answer;
      // Recorded only now: an attach that failed holds nothing. A power cut ends the containers too, so it may take this record.
      await this.#records.update(name, (old) => old && { ...old, attached: { ...old.attached, [attachmentId]: readOnly } }, {
        relaxed: true,
      });
      return { attachment };
    });
  }

  async detach(request: DetachRequest, ctx: Ctx): Promise<void> {
    const { name, attachmentId, last } = request;
    await this.#queue.run(name, ctx.signal, async () => {
      const record = await this.#records.get(name);
      if (record === undefined) return;
      await this.#author.detach?.(this.#volume(name, record, record.options), request, this.#toolbox.for(ctx));
      await this.#records.update(name, (old) => old && { ...old, attached: last ? {} : without(old.attached, attachmentId) }, {
        relaxed: true,
      });
    });
  }

  async usage({ name }: VolumeName, ctx: Ctx): Promise<Usage> {
    const record = await this.#require(name);
    if (this.#author.usage === undefined) throw notImplemented(`volume driver ${this.#author.name} has no usage`);
    return this.#author.usage(this.#volume(name, record, record.options), this.#toolbox.for(ctx));
  }

  async resize({ name, bytes }: { readonly name: string; readonly bytes: number }, ctx: Ctx): Promise<void> {
    await this.#queue.run(name, ctx.signal, async () => {
      const record = await this.#require(name);
      if (!Number.isSafeInteger(bytes) || bytes <= 0) throw invalidArgument(`volume ${name} cannot be resized to ${bytes} bytes`);
      await this.#author.resize?.(this.#volume(name, record, record.options), { bytes }, this.#toolbox.for(ctx));
    });
  }

  async clone({ name, from, options, secrets = {} }: CloneRequest, ctx: Ctx): Promise<VolumeAnswer> {
    const source = await this.#require(from);
    const request = { name, labels: {}, options: { ...source.options, ...options }, secrets };
    const copied = { from: this.#volume(from, source, source.options) };
    return this.#make(request, ctx, { make: (made, tools) => this.#author.clone?.(made, copied, tools), origin: { cloneOf: from } });
  }

  async snapshot({ name, from, secrets = {} }: SnapshotRequest, ctx: Ctx): Promise<VolumeAnswer> {
    const source = await this.#require(from);
    const request = { name, labels: {}, options: source.options, secrets };
    const copied = { from: this.#volume(from, source, source.options) };
    return this.#make(request, ctx, { make: (made, tools) => this.#author.snapshot?.(made, copied, tools), origin: { snapshotOf: from } });
  }

  /** The old record stays until the author's part is done, so that a repetition after a crash finishes it. */
  async rename({ name, to }: RenameRequest, ctx: Ctx): Promise<VolumeAnswer> {
    checkName(name);
    checkName(to);
    return this.#queue.run(name, ctx.signal, async () => {
      const [record, taken] = [await this.#records.get(name), await this.#records.get(to)];
      if (record === undefined && taken !== undefined) return { volume: await this.#shown(to, taken, ctx) };
      if (record === undefined) throw missing(name);
      if (taken !== undefined) throw alreadyExists(`volume ${to} exists already`, { reason: 'VOLUME_EXISTS' });
      const users = Object.keys(record.attached).length;
      if (users > 0) throw conflict(`volume ${name} is attached ${users} times`, { reason: 'VOLUME_BUSY' });
      await this.#author.rename?.(this.#volume(name, record, record.options), { to }, this.#toolbox.for(ctx));
      await this.#records.move(name, to, record);
      return { volume: await this.#shown(to, record, ctx) };
    });
  }

  /** Attachments that the engine does not know any more are let go: it is the engine that knows who runs. */
  async *reconcile(refs: AsyncIterable<Ref>): AsyncGenerator<RefState> {
    const known = new Set<string>();
    const attached = new Set<string>();
    for await (const ref of refs) {
      if (ref.driver !== this.#author.name || ref.contract !== 'volume') continue;
      if (ref.kind === 'attachment') attached.add(ref.id);
      else known.add(ref.id);
      const isThere = ref.kind === 'attachment' || (await this.#records.get(ref.id)) !== undefined;
      yield { ref, state: isThere ? 'ok' : 'missing', detail: isThere ? '' : `volume ${ref.id} is not in the driver's records` };
    }
    for (const { id, value } of await this.#records.list()) {
      if (Object.keys(value.attached).some((one) => !attached.has(one))) {
        await this.#records.update(id, (old) => old && { ...old, attached: kept(old.attached, attached) });
      }
      if (known.has(id)) continue;
      const ref = { contract: 'volume', driver: this.#author.name, kind: 'volume', id } as const;
      yield { ref, state: 'orphan', detail: 'the engine does not know it' };
    }
  }

  async #make(request: CreateRequest, ctx: Ctx, { make, origin = {} }: Making<O, S>): Promise<VolumeAnswer> {
    const { name, options } = request;
    checkName(name);
    const secrets = this.#secretsOf(request);
    const open = Object.fromEntries(Object.entries(options).filter(([option]) => !this.#secret.includes(option)));
    const wanted = { options: open, secrets: digest(secrets), createdMs: Date.now(), attached: {}, ...origin };
    const made = this.#volume(name, wanted, { ...open, ...secrets });
    return this.#queue.run(name, ctx.signal, async () => {
      const tools = this.#toolbox.for(ctx);
      let record = await this.#records.get(name);
      if (record === undefined) {
        try {
          await make(made, tools);
          if (this.#author.create !== undefined || Object.keys(origin).length > 0) await tools.data.sync();
          ctx.signal.throwIfAborted();
          record = await this.#records.update(name, (old) => old ?? wanted);
        } catch (error) {
          await Promise.resolve(this.#author.remove?.(made, this.#toolbox.for({ ...ctx, signal: AbortSignal.timeout(undoMs) }))).catch(
            (failure: unknown) => ctx.log.warn({ err: failure, volume: name }, 'what a failed create left behind could not be removed'),
          );
          throw error;
        }
      }
      const isCopy = Object.keys(origin).length > 0;
      const isOther = isCopy && (record?.cloneOf !== origin.cloneOf || record?.snapshotOf !== origin.snapshotOf);
      if (record === undefined || isOther || !isDeepStrictEqual({ ...record.options }, open) || record.secrets !== wanted.secrets) {
        throw alreadyExists(`volume ${name} exists with other options`, { reason: 'VOLUME_EXISTS' });
      }
      return { volume: await this.#shown(name, record, ctx) };
    });
  }

  /** Who does not know that they are secret, as Docker, sends them among the others. */
  #secretsOf({ options, secrets = {} }: Pick<CreateRequest, 'options' | 'secrets'>): Readonly<Record<string, string>> {
    return Object.fromEntries(Object.entries({ ...options, ...secrets }).filter(([option]) => this.#secret.includes(option)));
  }

  async #require(name: string): Promise<VolumeRecord> {
    checkName(name);
    const record = await this.#records.get(name);
    if (record === undefined) throw missing(name);
    return record;
  }

  /** What is in the records was checked when it came; secrets that the engine did not send count as absent, not as missing. */
  #volume(name: string, { createdMs }: VolumeRecord, options: Readonly<Record<string, string>>): AuthoredVolume<PropertiesOf<O>> {
    const schema = {
      ...this.#schema,
      required: (this.#schema['required'] as readonly string[]).filter((option) => option in options || !this.#secret.includes(option)),
    };
    return {
      name,
      created: new Date(createdMs),
      options: readOptions(schema, options, `volume driver ${this.#author.name}`) as PropertiesOf<O>,
    };
  }

  async #shown(name: string, record: VolumeRecord, ctx: Ctx): Promise<Volume> {
    const status = await this.#author.status?.(this.#volume(name, record, record.options), this.#toolbox.for(ctx));
    return { ...plain(name, record, this.#author.scope), ...(status === undefined ? {} : { status }) };
  }
}

const undoMs = 10_000;

/** Methods that the author did not write are not there, so that nobody asks for them. */
function withFeatures<O extends Properties, S extends Properties>(driver: AuthoredDriver<O, S>, author: VolumeAuthor<O, S>): VolumeDriver {
  const shown = {
    create: driver.create.bind(driver),
    remove: driver.remove.bind(driver),
    stat: driver.stat.bind(driver),
    list: driver.list.bind(driver),
    attach: driver.attach.bind(driver),
    detach: driver.detach.bind(driver),
    ...(author.usage === undefined ? {} : { usage: driver.usage.bind(driver) }),
    ...(author.resize === undefined ? {} : { resize: driver.resize.bind(driver) }),
    ...(author.clone === undefined ? {} : { clone: driver.clone.bind(driver) }),
    ...(author.snapshot === undefined ? {} : { snapshot: driver.snapshot.bind(driver) }),
    ...(author.rename === undefined ? {} : { rename: driver.rename.bind(driver) }),
  };
  return shown;
}

function plain(name: string, { options, createdMs, snapshotOf }: VolumeRecord, scope: 'local' | 'global' = 'local'): Volume {
  return { name, scope, created: new Date(createdMs), options, ...(snapshotOf === undefined ? {} : { snapshotOf }) };
}

function missing(name: string): Error {
  return notFound(`volume ${name} not found`, { reason: 'VOLUME_NOT_FOUND' });
}

function checkName(name: string): void {
  if (name === '') throw invalidArgument('a volume needs a name', { reason: 'NAME_INVALID' });
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(name)) {
    throw invalidArgument(
      `volume name ${JSON.stringify(name.slice(0, 300))}: 1 to 255 of a-z A-Z 0-9 _ . -, not beginning with one of _ . -`,
      {
        reason: 'NAME_INVALID',
      },
    );
  }
}

function isMounts(answer: readonly Mount[] | Attachment): answer is readonly Mount[] {
  return Array.isArray(answer);
}

function digest(secrets: Readonly<Record<string, string>>): string {
  if (Object.keys(secrets).length === 0) return '';
  return createHash('sha256')
    .update(JSON.stringify(Object.entries(secrets).toSorted(([a], [b]) => (a < b ? -1 : 1))))
    .digest('hex');
}

function without(attached: Readonly<Record<string, boolean>>, id: string): Readonly<Record<string, boolean>> {
  return Object.fromEntries(Object.entries(attached).filter(([one]) => one !== id));
}

function kept(attached: Readonly<Record<string, boolean>>, wanted: ReadonlySet<string>): Readonly<Record<string, boolean>> {
  return Object.fromEntries(Object.entries(attached).filter(([one]) => wanted.has(one)));
}
