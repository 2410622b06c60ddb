import { authHeader, authsHeader } from './auth-header.ts';
import type { RegistryAuth } from '../transport/index.ts';
import type { Filters, Progress } from '../engine/index.ts';
import type { Abortable } from '../types/index.ts';
import { filtersParameter } from './filters.ts';
import { type Http, segment } from './http.ts';
import { messages } from './messages.ts';
import type { HistoryAnswer, ImageAnswer, ImageDeleted, ImageSummary, ImagesPruned, BuildsPruned } from './shapes.ts';

/** What of Docker's POST /build can be asked for; absent is the server's default. */
export interface BuildQuery {
  readonly dockerfile?: string | undefined;
  readonly remote?: string | undefined;
  readonly tags?: readonly string[];
  readonly buildArgs?: Readonly<Record<string, string | null>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly extraHosts?: readonly string[];
  readonly cacheFrom?: readonly string[];
  readonly target?: string | undefined;
  readonly platform?: string | undefined;
  readonly network?: string | undefined;
  /** Engines of ours: what the Dockerfile may have, "network.host" or "security.insecure". */
  readonly allow?: readonly string[];
  /** Bytes. */
  readonly memory?: number | undefined;
  readonly shmSize?: number | undefined;
  readonly noCache?: boolean;
  readonly pull?: boolean;
  readonly remove?: boolean;
  readonly forceRemove?: boolean;
  readonly quiet?: boolean;
}

export class Images {
  readonly #http: Http;
  constructor(http: Http) {
    this.#http = http;
  }

  async list(
    query: { readonly all?: boolean; readonly digests?: boolean; readonly manifests?: boolean; readonly filters?: Filters } = {},
  ): Promise<readonly ImageSummary[]> {
    const { all, digests, manifests, filters } = query;
    return await this.#http.json('GET', '/images/json', { query: { all, digests, manifests, filters: filtersParameter(filters) } });
  }

  /** Of a name of several platforms the image for one, as "linux/arm64". */
  async inspect(image: string, { platform }: { readonly platform?: string | undefined } = {}): Promise<ImageAnswer> {
    return await this.#http.json('GET', `/images/${segment(image)}/json`, { query: { platform: platformParameter(platform) } });
  }

  async history(image: string): Promise<readonly HistoryAnswer[]> {
    return await this.#http.json('GET', `/images/${segment(image)}/history`);
  }

  async tag(image: string, repository: string, tag: string): Promise<void> {
    await this.#http.done('POST', `/images/${segment(image)}/tag`, { query: { repo: repository, tag } });
  }

  /** With platforms, as "linux/arm64", only the images for these. */
  async remove(
    image: string,
    { force, prune, platforms = [] }: { readonly force: boolean; readonly prune: boolean; readonly platforms?: readonly string[] },
  ): Promise<readonly ImageDeleted[]> {
    const query = { force, noprune: !prune, platforms: platforms.flatMap((platform) => platformParameter(platform) ?? []) };
    return await this.#http.json('DELETE', `/images/${segment(image)}`, { query });
  }

  async prune({ filters }: { readonly filters?: Filters } = {}): Promise<ImagesPruned> {
    return await this.#http.json('POST', '/images/prune', { query: { filters: filtersParameter(filters) } });
  }

  /** `platform` as "linux/arm64": of names of several platforms the images for it; else all that are there. */
  async save(
    images: readonly string[],
    { platform, signal }: { readonly platform?: string | undefined } & Abortable = {},
  ): Promise<AsyncIterable<Buffer>> {
    return await this.#http.stream('GET', '/images/get', { query: { names: images, platform: platformParameter(platform) }, signal });
  }

  /** `platform` as "linux/arm64": of the archive's images those that are for it. */
  async *load(
    tar: AsyncIterable<Buffer>,
    { quiet, platform, signal }: { readonly quiet: boolean; readonly platform?: string | undefined } & Abortable,
  ): AsyncGenerator<Progress> {
    const query = { quiet, platform: platformParameter(platform) };
    yield* messages(await this.#http.stream('POST', '/images/load', { query, body: tar, signal }));
  }

  async *import(
    tar: AsyncIterable<Buffer>,
    options: {
      readonly repository?: string | undefined;
      readonly tag?: string | undefined;
      readonly message?: string | undefined;
      readonly changes: readonly string[];
      readonly platform?: string | undefined;
    } & Abortable,
  ): AsyncGenerator<Progress> {
    const { repository: repo, tag, message, changes, platform, signal } = options;
    const query = { fromSrc: '-', repo, tag, message, changes, platform };
    yield* messages(await this.#http.stream('POST', '/images/create', { query, body: tar, signal }));
  }

  /** Sends a context and tells what becomes of the build; the last `aux` has the image's id. */
  async *build(
    tar: AsyncIterable<Buffer>,
    given: BuildQuery,
    auths: Readonly<Record<string, RegistryAuth>> = {},
    { signal }: Abortable = {},
  ): AsyncGenerator<Progress> {
    const { dockerfile, remote, target, platform, memory, network, quiet, pull, buildArgs, labels, cacheFrom } = given;
    const query = {
      dockerfile,
      remote,
      target,
      platform,
      memory,
      pull,
      q: quiet,
      t: given.tags,
      networkmode: network,
      allow: given.allow,
      shmsize: given.shmSize,
      nocache: given.noCache,
      rm: given.remove,
      forcerm: given.forceRemove,
      extrahosts: given.extraHosts,
      buildargs: JSON.stringify(buildArgs ?? {}),
      labels: JSON.stringify(labels ?? {}),
      cachefrom: JSON.stringify(cacheFrom ?? []),
      version: '1',
    };
    yield* messages(await this.#http.stream('POST', '/build', { query, body: tar, headers: authsHeader(auths), signal }));
  }

  /** `all`: what `RUN --mount=type=cache` keeps, too. */
  async pruneBuilds({
    filters,
    all,
    keepBytes,
  }: {
    readonly filters?: Filters;
    readonly all?: boolean;
    readonly keepBytes?: number | undefined;
  } = {}): Promise<BuildsPruned> {
    const query = { filters: filtersParameter(filters), all, 'keep-storage': keepBytes, 'reserved-space': keepBytes };
    return await this.#http.json('POST', '/build/prune', { query });
  }

  async *pull(
    { name, tag, platform }: { readonly name: string; readonly tag?: string | undefined; readonly platform?: string | undefined },
    { auth, signal }: { readonly auth?: RegistryAuth } & Abortable = {},
  ): AsyncGenerator<Progress> {
    const query = { fromImage: name, tag, platform };
    yield* messages(await this.#http.stream('POST', '/images/create', { query, headers: authHeader(auth), signal }));
  }

  async *push(
    { name, tag, platform }: { readonly name: string; readonly tag?: string | undefined; readonly platform?: string | undefined },
    { auth = {}, signal }: { readonly auth?: RegistryAuth } & Abortable = {},
  ): AsyncGenerator<Progress> {
    const headers = authHeader(auth);
    const query = { tag, platform: platformParameter(platform) };
    yield* messages(await this.#http.stream('POST', `/images/${segment(name)}/push`, { query, headers, signal }));
  }
}

/** JSON, where an API wants it so. */
function platformParameter(platform: string | undefined): string | undefined {
  if (platform === undefined) return undefined;
  const [os, architecture, variant] = platform.split('/');
  return JSON.stringify({ os, architecture, variant });
}
