import { cancelled, firstCause, invalidArgument, messageOf, unavailable } from '@gantry/sdk';
import type { BuildContext, BuildOptions, Engine } from '@gantry/sdk/engine';
import type { RegistryAuth } from '@gantry/sdk/transport';
import { clientFiles } from './files.ts';
import { encode } from './messages.ts';
import { BuildProgress, type StatusUpdate } from './progress.ts';
import type { Session, Sessions } from './session.ts';

type Attributes = Readonly<Record<string, string>>;

export interface SolveFacts {
  readonly engine: Engine;
  readonly sessions: Sessions;
  readonly ref: string;
}

interface ExportRequest {
  readonly session: string;
  /** Names for the image. */
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
  readonly #request = Promise.withResolvers<ExportRequest>();
  readonly #returned = Promise.withResolvers<void>();
  #wake: () => void = () => undefined;
  #isOver = false;
  #isFollowed = false;
  readonly #waiting: (() => void)[] = [];
  imageId = '';

  constructor(facts: SolveFacts) {
    this.#facts = facts;
    this.#progress = new BuildProgress(facts.ref);
    for (const { promise } of [this.#request, this.#returned]) promise.catch(() => undefined);
  }

  /** Control.Solve: resolves when the client has returned what it built. */
  async export(request: ExportRequest): Promise<Attributes> {
    this.#request.resolve(request);
    try {
      await this.#returned.promise;
      if (this.imageId !== '') await this.#name(request.tags);
    } finally {
      this.end();
    }
    return {
      'containerimage.digest': this.imageId,
      'containerimage.config.digest': this.imageId,
      ...(request.tags.length === 0 ? {} : { 'image.name': request.tags.join(',') }),
    };
  }

  /** The gateway's Solve: builds. */
  async build(attributes: Attributes, cacheFrom: readonly string[]): Promise<void> {
    const { engine, sessions } = this.#facts;
    const signal = this.#stop.signal;
    const { session: id } = await this.#requested();
    const session = await sessions.get(id, signal);
    session.closed.addEventListener('abort', () => this.cancel(session.closed.reason), { once: true });
    const options = { ...optionsOf(attributes, cacheFrom), auth: (host: string) => credentials(session, host, signal) };
    const { id: image } = await engine.builds.build({
      ...options,
      context: contextOf(session, attributes, signal),
      secret: (name) => secretOf(session, name, signal),
      signal,
      onEvent: (event) => {
        const update = this.#progress.take(event);
        if (update !== undefined) this.#tell(update);
      },
      taken: () => this.#taken(),
    });
    this.imageId = image;
  }

  /** Whoever only says what to build, and not where it goes, is not waited for. */
  async #requested(): Promise<ExportRequest> {
    const timer = setTimeout(() => this.cancel(unavailable('Control.Solve of this build does not come')), comesWithinMs);
    try {
      return await this.#request.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The gateway's Return. */
  finish(error: string | undefined): void {
    if (error === undefined) this.#returned.resolve();
    else this.#returned.reject(invalidArgument(error));
  }

  cancel(reason: unknown = cancelled('the client of the build went away')): void {
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

  /** Status: what was told so far, and then what comes. */
  async *status(): AsyncIterable<Buffer> {
    this.#isFollowed = true;
    for (;;) {
      if (this.#updates.length < mostUpdates / 2) for (const resolve of this.#waiting.splice(0)) resolve();
      const [first] = this.#updates.splice(0, 1);
      if (first !== undefined) yield encode('StatusResponse', first);
      else if (this.#isOver) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async #name(tags: readonly string[]): Promise<void> {
    const startedMs = Date.now();
    this.#tell(this.#progress.own('exporting to image', { startedMs }));
    try {
      for (const tag of tags) await this.#facts.engine.images.tag(this.imageId, tag);
      this.#tell(this.#progress.own('exporting to image', { startedMs, completedMs: Date.now() }));
    } catch (error) {
      this.#tell(this.#progress.own('exporting to image', { startedMs, completedMs: Date.now(), error: messageOf(firstCause(error)) }));
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

const comesWithinMs = 10_000;
const mostUpdates = 1_000;

/** A folder of the client's, or an address; the Dockerfile may lie in a folder of its own. */
function contextOf(session: Session, attributes: Attributes, signal: AbortSignal): BuildContext {
  const given = attributes['context'] ?? '';
  if (/^https?:\/\//.test(given)) return { kind: 'remote', url: given };
  const named = (key: string, otherwise: string): string => (attributes[key] ?? otherwise).replace(/^local:/, '');
  const names = { context: named('contextkey', 'context'), dockerfile: named('dockerfilekey', 'dockerfile') };
  return {
    kind: 'folders',
    files: (folder, { include, exclude }) => clientFiles(session, { name: names[folder], include, exclude }, signal),
  };
}

function optionsOf(attributes: Attributes, cacheFrom: readonly string[]): BuildOptions {
  const withPrefix = (prefix: string): Attributes =>
    Object.fromEntries(
      Object.entries(attributes).flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : [])),
    );
  const noCache = attributes['no-cache'];
  const network = attributes['force-network-mode'] ?? '';
  const shmSize = attributes['shm-size'];
  return {
    dockerfile: attributes['filename'] ?? '',
    tags: [],
    buildArgs: withPrefix('build-arg:'),
    labels: withPrefix('label:'),
    noCache: noCache === undefined ? false : noCache === '' ? true : noCache.split(','),
    pull: attributes['image-resolve-mode'] === 'pull',
    remove: true,
    forceRemove: true,
    target: attributes['target'] ?? '',
    platform: (attributes['platform'] ?? '').split(',')[0] ?? '',
    cacheFrom,
    registryAuth: {},
    hostConfig: {
      ...(network === '' || network === 'default' ? {} : { NetworkMode: network }),
      ...(shmSize === undefined ? {} : { ShmSize: Number(shmSize) }),
      ...(attributes['cgroup-parent'] === undefined ? {} : { CgroupParent: attributes['cgroup-parent'] }),
      // "host=address", as BuildKit writes what others write with a colon.
      ExtraHosts: (attributes['add-hosts'] ?? '')
        .split(',')
        .filter((host) => host !== '')
        .map((host) => host.replace('=', ':')),
    },
  };
}

/** Undefined where the client has no login, or says so by an error. */
async function credentials(session: Session, host: string, signal: AbortSignal): Promise<RegistryAuth | undefined> {
  const method = '/moby.filesync.v1.Auth/Credentials';
  if (!session.serves(method)) return undefined;
  const asked = host === 'docker.io' ? 'registry-1.docker.io' : host;
  const { username, secret } = await session.ask<{ readonly username: string; readonly secret: string }>(
    method,
    { name: 'CredentialsRequest', value: { host: asked } },
    'CredentialsResponse',
    signal,
  );
  if (secret === '') return undefined;
  return username === '' ? { identityToken: secret, serverAddress: host } : { username, password: secret, serverAddress: host };
}

async function secretOf(session: Session, name: string, signal: AbortSignal): Promise<Buffer | undefined> {
  const method = '/moby.buildkit.secrets.v1.Secrets/GetSecret';
  if (!session.serves(method)) return undefined;
  try {
    const { data } = await session.ask<{ readonly data: Uint8Array }>(
      method,
      { name: 'SecretRequest', value: { ID: name } },
      'SecretResponse',
      signal,
    );
    return Buffer.from(data);
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'not_found') return undefined;
    throw error;
  }
}
