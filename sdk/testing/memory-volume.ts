import { isDeepStrictEqual } from 'node:util';
import { alreadyExists, conflict, invalidArgument, notFound, unavailable } from '../errors.ts';
import type { Attachment } from '../types/index.ts';
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
} from '../volume/index.ts';

/** A whole volume driver in memory. Its volumes are described as tmpfs that all users share; it can be switched off, or made to hang. */
export class MemoryVolumeDriver implements VolumeDriver {
  readonly #volumes: Map<string, Volume>;
  readonly #attached = new Map<string, Map<string, boolean>>();
  /** While it is set, every call fails as if the back end were down. */
  isDown = false;
  /** While it is set, no call is answered before its signal fires. */
  hangs = false;

  /** Over the same map it finds what another one left, as after a restart. */
  constructor(volumes: Map<string, Volume> = new Map()) {
    this.#volumes = volumes;
  }

  get volumes(): Map<string, Volume> {
    return this.#volumes;
  }

  /** Ids of a volume's attachments. */
  attachments(name: string): readonly string[] {
    return [...(this.#attached.get(name)?.keys() ?? [])];
  }

  async create({ name, options }: CreateRequest, ctx: { readonly signal: AbortSignal }): Promise<VolumeAnswer> {
    await this.#reach(ctx);
    checkName(name);
    const unknown = Object.keys(options).find((option) => option !== 'colour');
    if (unknown !== undefined) throw invalidArgument(`invalid option: "${unknown}"`);
    if (options['colour'] === '') throw invalidArgument('option colour is empty');
    const known = this.#volumes.get(name);
    if (known !== undefined && !isDeepStrictEqual({ ...known.options }, { ...options })) throw alreadyExists(`volume ${name} exists`);
    const volume = known ?? { name, scope: 'local', created: new Date(), options, status: { place: 'memory' } };
    this.#volumes.set(name, volume);
    return { volume };
  }

  async remove({ name, force }: RemoveRequest, ctx: { readonly signal: AbortSignal }): Promise<void> {
    await this.#reach(ctx);
    if (!force && this.attachments(name).length > 0) throw conflict(`volume ${name} is attached`);
    this.#volumes.delete(name);
    this.#attached.delete(name);
  }

  async stat({ name }: VolumeName, ctx: { readonly signal: AbortSignal }): Promise<VolumeAnswer> {
    await this.#reach(ctx);
    return { volume: this.#require(name) };
  }

  async *list(_: Record<string, never>, ctx: { readonly signal: AbortSignal }): AsyncGenerator<Volume> {
    await this.#reach(ctx);
    yield* this.#volumes.values();
  }

  async attach(
    { name, attachmentId, readOnly }: AttachRequest,
    ctx: { readonly signal: AbortSignal },
  ): Promise<{ readonly attachment: Attachment }> {
    await this.#reach(ctx);
    const { snapshotOf } = this.#require(name);
    if (snapshotOf !== undefined && !readOnly) throw conflict(`volume ${name} is a snapshot of ${snapshotOf}`);
    const attached = this.#attached.get(name) ?? new Map<string, boolean>();
    if ((attached.get(attachmentId) ?? readOnly) !== readOnly) throw alreadyExists(`attachment ${attachmentId} exists`);
    this.#attached.set(name, attached.set(attachmentId, readOnly));
    const mount = { type: 'tmpfs', source: { opaque: 'tmpfs' }, options: ['size=1m'] };
    return { attachment: { mounts: [mount], shareable: true, context: { token: attachmentId } } };
  }

  async detach({ name, attachmentId }: DetachRequest, ctx: { readonly signal: AbortSignal }): Promise<void> {
    await this.#reach(ctx);
    this.#attached.get(name)?.delete(attachmentId);
  }

  async clone({ name, from, options }: CloneRequest, ctx: { readonly signal: AbortSignal }): Promise<VolumeAnswer> {
    await this.#reach(ctx);
    return this.#copied(name, from, { options: { ...this.#require(from).options, ...options }, status: { place: 'memory', from } });
  }

  async snapshot({ name, from }: SnapshotRequest, ctx: { readonly signal: AbortSignal }): Promise<VolumeAnswer> {
    await this.#reach(ctx);
    return this.#copied(name, from, { snapshotOf: from });
  }

  async rename({ name, to }: RenameRequest, ctx: { readonly signal: AbortSignal }): Promise<VolumeAnswer> {
    await this.#reach(ctx);
    checkName(to);
    if (!this.#volumes.has(name) && this.#volumes.has(to)) return { volume: this.#require(to) };
    const volume = { ...this.#require(name), name: to };
    if (this.#volumes.has(to)) throw alreadyExists(`volume ${to} exists`);
    if (this.attachments(name).length > 0) throw conflict(`volume ${name} is attached`);
    this.#volumes.delete(name);
    this.#volumes.set(to, volume);
    return { volume };
  }

  #copied(name: string, from: string, changes: Partial<Volume>): VolumeAnswer {
    checkName(name);
    const source = this.#require(from);
    const known = this.#volumes.get(name);
    const volume = { ...source, created: known?.created ?? new Date(), ...changes, name };
    if (known !== undefined && !isDeepStrictEqual(known, volume)) throw alreadyExists(`volume ${name} exists`);
    this.#volumes.set(name, volume);
    return { volume };
  }

  #require(name: string): Volume {
    const volume = this.#volumes.get(name);
    if (volume === undefined) throw notFound(`volume ${name} not found`);
    return volume;
  }

  async #reach({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (this.isDown) throw unavailable('the back end is down');
    if (this.hangs) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  }
}

function checkName(name: string): void {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(name)) throw invalidArgument(`volume name ${JSON.stringify(name)}`);
}
