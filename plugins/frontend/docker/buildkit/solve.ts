import { cancelled, firstCause, invalidArgument, messageOf, unavailable } from '@gantry/sdk';
import type { BuildEvent, Engine } from '@gantry/sdk/engine';
import { buildFailure } from './build-failure.ts';
import { cacheExports, type CacheEntry, cacheImports } from './cache.ts';
import { agentOf, credentials, secretOf } from './client.ts';
import { type Export, exportsOf, type Exporter } from './exports.ts';
import { type GrpcStatus, statusError } from './grpc-status.ts';
import { encode } from './messages.ts';
import { type Attributes, contextOf, namedSources, optionsOf, platformsOf } from './options.ts';
import { BuildProgress, type StatusUpdate } from './progress.ts';
import type { Session, Sessions } from './session.ts';

export interface SolveFacts {
  readonly engine: Engine;
  readonly sessions: Sessions;
  readonly ref: string;
}

/** Where a build goes, and what is to be kept of it elsewhere. */
export interface ExportRequest {
  readonly session: string;
  readonly exporters: readonly Exporter[];
  /** `--allow` */
  readonly allow: readonly string[];
  readonly caches: readonly CacheEntry[];
}

interface Building {
  readonly attributes: Attributes;
  readonly imports: readonly CacheEntry[];
  readonly progress: BuildProgress;
  readonly isOneOfMany: boolean;
}

/** What Control.Solve says that a build needs. */
interface Asked extends Pick<ExportRequest, 'session' | 'allow'> {
  readonly tags: readonly string[];
}

/**
 * One build of a client, from when any of its calls is heard of. buildx asks three things at the same time: Control.Solve, which names the
 * exporter and waits; Status, which tells; and, as a frontend would, the gateway's Solve, which says what is to be built.
 */
export class Solve {
  readonly #facts: SolveFacts;
  readonly #progress: BuildProgress;
  readonly #updates: StatusUpdate[] = [];
  readonly #stop = new AbortController();
  readonly #request = Promise.withResolvers<Asked>();
  readonly #returned = Promise.withResolvers<void>();
  #wake: () => void = () => undefined;
  #isOver = false;
  #isFollowed = false;
  readonly #waiting: (() => void)[] = [];
  readonly #stageImages: string[] = [];
  #failedVertex: string | undefined;
  /** What was built: one image, or one for each platform. */
  imageIds: readonly string[] = [];
  /** Control.Solve has come: until then it is nothing but a name that somebody said. */
  isBegun = false;
  readonly #neverBegun = new AbortController();

  constructor(facts: SolveFacts) {
    this.#facts = facts;
    this.#progress = new BuildProgress(facts.ref);
    for (const { promise } of [this.#request, this.#returned]) promise.catch(() => undefined);
  }

  /** Control.Solve: resolves when the client has returned what it built, and that is where it is to go. */
  async export({ exporters, caches, allow, session: id }: ExportRequest): Promise<Attributes> {
    const exports = exportsOf(exporters);
    const kept = cacheExports(caches);
    const tags = exports.flatMap(({ tags: names }) => names);
    this.isBegun = true;
    this.#request.resolve({ session: id, allow, tags });
    try {
      await this.#returned.promise;
      const [imageId] = this.imageIds;
      if (imageId === undefined) return {};
      const session = await this.#facts.sessions.get(id, this.#stop.signal);
      for (const each of exports) await this.#step(each, session);
      for (const each of kept(this.#stageImages)) await this.#step(each, session);
      return {
        'containerimage.digest': imageId,
        'containerimage.config.digest': imageId,
        ...(tags.length === 0 ? {} : { 'image.name': tags.join(',') }),
      };
    } finally {
      this.end();
    }
  }

  /** The gateway's Solve: builds, for one platform after the other. */
  async build(attributes: Attributes, imports: readonly CacheEntry[]): Promise<void> {
    const platforms = platformsOf(attributes);
    const built: string[] = [];
    for (const platform of platforms) {
      const progress = platforms.length > 1 ? new BuildProgress(this.#facts.ref, platform) : this.#progress;
      built.push(await this.#buildFor(platform, { attributes, imports, progress, isOneOfMany: platforms.length > 1 }));
    }
    this.imageIds = [...new Set(built)];
  }

  async #buildFor(platform: string, { attributes, imports, progress, isOneOfMany }: Building): Promise<string> {
    const { engine, sessions } = this.#facts;
    const signal = this.#stop.signal;
    const { session: id, allow, tags } = await this.#requested();
    const session = await sessions.get(id, signal);
    session.closed.addEventListener('abort', () => this.cancel(session.closed.reason), { once: true });
    const context = contextOf(session, attributes, signal);
    if (isOneOfMany && context.kind === 'tar')
      throw invalidArgument('a context from standard input can be built for one platform', { hint: 'give the build a folder' });
    const building = engine.builds.build({
      ...optionsOf(attributes, platform),
      allow,
      cacheFromRegistry: cacheImports(attributes, imports),
      context,
      contexts: namedSources(session, attributes, signal),
      auth: (host) => credentials(session, host, signal),
      secret: (name) => secretOf(session, name, signal),
      ssh: (name) => agentOf(session, name, signal),
      signal,
      record: { id: this.#facts.ref, tags, attributes: withoutLogins(attributes) },
      onEvent: (event) => this.#heard(event, progress),
      taken: () => this.#taken(),
    });
    try {
      return (await building).id;
    } catch (error) {
      throw buildFailure(error, this.#failedVertex);
    }
  }

  #heard(event: BuildEvent, progress: BuildProgress): void {
    if (event.kind === 'stage' && event.imageId !== '') this.#stageImages.push(event.imageId);
    if (event.kind === 'failed') this.#failedVertex ??= progress.vertexOf(event.step);
    const update = progress.take(event);
    if (update !== undefined) this.#tell(update);
  }

  /** Whoever only says what to build, and not where it goes, is not waited for. */
  async #requested(): Promise<Asked> {
    const timer = setTimeout(() => this.cancel(unavailable('Control.Solve of this build does not come')), comesWithinMs);
    try {
      return await this.#request.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The gateway's Return: what the client makes of the build is what Control.Solve answers, details and all. */
  finish(failed: GrpcStatus | undefined): void {
    if (failed === undefined) this.#returned.resolve();
    else this.#returned.reject(statusError(failed));
  }

  cancel(reason: unknown = cancelled('the client of the build went away')): void {
    if (!this.isBegun) this.#neverBegun.abort(reason);
    this.#stop.abort(reason);
    this.#request.reject(reason);
    this.#returned.reject(reason);
    this.end();
  }

  end(): void {
    this.#isOver = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
    this.#wake();
  }

  /** Nobody has followed it so far: what it told is still here. */
  get isFollowable(): boolean {
    return !this.#isFollowed;
  }

  /** Status: what was told so far, and then what comes. */
  async *status(): AsyncIterable<Buffer> {
    this.#isFollowed = true;
    for (;;) {
      if (this.#updates.length < mostUpdates / 2) for (const resolve of this.#waiting.splice(0)) resolve();
      const [first] = this.#updates.splice(0, 1);
      if (first !== undefined) yield encode('StatusResponse', first);
      else if (this.#isOver) return this.#neverBegun.signal.throwIfAborted();
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** One thing that is done with the image, with its own line in the progress. */
  async #step({ name, run }: Export, session: Session): Promise<void> {
    const startedMs = Date.now();
    const { engine } = this.#facts;
    this.#tell(this.#progress.own(name, { startedMs }));
    try {
      await run({ engine, imageIds: this.imageIds, session, signal: this.#stop.signal });
      this.#tell(this.#progress.own(name, { startedMs, completedMs: Date.now() }));
    } catch (error) {
      this.#tell(this.#progress.own(name, { startedMs, completedMs: Date.now(), error: messageOf(firstCause(error)) }));
      throw error;
    }
  }

  /** Resolves when whoever follows has taken most of what was told. Who does not follow gets what is left. */
  #taken(): Promise<void> | undefined {
    if (this.#updates.length < mostUpdates) return undefined;
    if (!this.#isFollowed) return void this.#updates.splice(mostUpdates / 2, 1);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #tell(update: StatusUpdate): void {
    this.#updates.push(update);
    this.#wake();
  }
}

/** Addresses may have one. */
function withoutLogins(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, value.replace(/^([a-z]+:\/\/)[^/@\s]*@/i, '$1***@')]));
}

/** How long the calls of a build wait for one another. */
export const comesWithinMs = 10_000;
const mostUpdates = 1_000;
