import type { ContainerConfig, EndpointConfig, Filters, HostConfig, PathStat, UpdateContainer, WaitCondition } from '../engine/index.ts';
import { dataLoss } from '../errors.ts';
import type { Abortable } from '../types/index.ts';
import { filtersParameter } from './filters.ts';
import type { Hijacked } from './hijack.ts';
import { type Http, segment } from './http.ts';
import { jsonLines } from './json-lines.ts';
import type { ChangeAnswer, ContainerAnswer, ContainerSummary, ContainersPruned, StatsAnswer, TopAnswer, WaitAnswer } from './shapes.ts';
import { demultiplex, rawOutput, type StreamChunk } from './stdcopy.ts';

export interface CreateRequest extends ContainerConfig {
  readonly HostConfig?: HostConfig;
  readonly NetworkingConfig?: { readonly EndpointsConfig: Readonly<Record<string, EndpointConfig>> };
}
export interface StopQuery {
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: string | undefined;
}
export interface AttachQuery extends Abortable {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly logs?: boolean;
  readonly detachKeys?: string | undefined;
}
export interface LogsQuery extends Abortable {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow?: boolean | undefined;
  readonly timestamps?: boolean | undefined;
  readonly details?: boolean | undefined;
  /** Unix seconds, with fraction. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** A number or "all". */
  readonly tail?: string | undefined;
}
export interface ContainerWait {
  /** The waiter is registered before this object exists: no exit is missed. */
  readonly result: Promise<WaitAnswer>;
}

export class Containers {
  readonly #http: Http;
  constructor(http: Http) {
    this.#http = http;
  }

  async create(
    request: CreateRequest,
    { name, platform }: { readonly name?: string | undefined; readonly platform?: string | undefined } = {},
  ): Promise<{ readonly Id: string; readonly Warnings: readonly string[] | null }> {
    return await this.#http.json('POST', '/containers/create', { query: { name, platform }, json: request });
  }

  async list(
    query: { readonly all?: boolean; readonly limit?: number | undefined; readonly size?: boolean; readonly filters?: Filters } = {},
  ): Promise<readonly ContainerSummary[]> {
    const { all, limit, size, filters } = query;
    return await this.#http.json('GET', '/containers/json', { query: { all, limit, size, filters: filtersParameter(filters) } });
  }

  async inspect(container: string, { size }: { readonly size?: boolean } = {}): Promise<ContainerAnswer> {
    return await this.#http.json('GET', `${path(container)}/json`, { query: { size } });
  }

  /** Done also when it runs already. */
  async start(container: string, { detachKeys }: { readonly detachKeys?: string | undefined } = {}): Promise<void> {
    await this.#http.done('POST', `${path(container)}/start`, { query: { detachKeys } });
  }

  /** Done also when it does not run. */
  async stop(container: string, { timeoutSeconds, signal }: StopQuery = {}): Promise<void> {
    await this.#http.done('POST', `${path(container)}/stop`, { query: { t: timeoutSeconds, signal } });
  }

  async restart(container: string, { timeoutSeconds, signal }: StopQuery = {}): Promise<void> {
    await this.#http.done('POST', `${path(container)}/restart`, { query: { t: timeoutSeconds, signal } });
  }

  async kill(container: string, { signal }: { readonly signal?: string | undefined } = {}): Promise<void> {
    await this.#http.done('POST', `${path(container)}/kill`, { query: { signal } });
  }

  async pause(container: string): Promise<void> {
    await this.#http.done('POST', `${path(container)}/pause`);
  }

  async unpause(container: string): Promise<void> {
    await this.#http.done('POST', `${path(container)}/unpause`);
  }

  async rename(container: string, name: string): Promise<void> {
    await this.#http.done('POST', `${path(container)}/rename`, { query: { name } });
  }

  async update(container: string, request: UpdateContainer): Promise<{ readonly Warnings: readonly string[] | null }> {
    return await this.#http.json('POST', `${path(container)}/update`, { json: request });
  }

  async remove(
    container: string,
    { force, volumes, link }: { readonly force?: boolean; readonly volumes?: boolean; readonly link?: boolean } = {},
  ): Promise<void> {
    await this.#http.done('DELETE', path(container), { query: { force, v: volumes, link } });
  }

  async prune({ filters }: { readonly filters?: Filters } = {}): Promise<ContainersPruned> {
    return await this.#http.json('POST', '/containers/prune', { query: { filters: filtersParameter(filters) } });
  }

  /** Resolves when the server has registered the waiter. Abort ends the waiting only. */
  async wait(container: string, condition?: WaitCondition, { signal }: Abortable = {}): Promise<ContainerWait> {
    const answer = await this.#http.stream('POST', `${path(container)}/wait`, { query: { condition }, signal });
    const result = readWait(answer);
    // Whoever waits only for the registration must not be killed by the rest.
    result.catch(() => undefined);
    return { result };
  }

  async attach(container: string, { signal, ...query }: AttachQuery): Promise<Hijacked> {
    return await this.#http.hijack('POST', `${path(container)}/attach`, { query: { stream: true, ...query }, signal });
  }

  async resize(container: string, { rows, columns }: { readonly rows: number; readonly columns: number }): Promise<void> {
    await this.#http.done('POST', `${path(container)}/resize`, { query: { h: rows, w: columns } });
  }

  /** Resolves with the server's headers. `tty`: how the container was made, for it decides the stream's form. */
  async logs(container: string, { tty, signal, ...query }: LogsQuery & { readonly tty: boolean }): Promise<AsyncIterable<StreamChunk>> {
    const answer: AsyncIterable<Buffer> = await this.#http.stream('GET', `${path(container)}/logs`, { query, signal });
    return tty ? rawOutput(answer) : demultiplex(answer);
  }

  async top(container: string, psArguments?: string): Promise<TopAnswer> {
    return await this.#http.json('GET', `${path(container)}/top`, { query: { ps_args: psArguments } });
  }

  /** One reading a second, or one reading. */
  async *stats(container: string, { stream, signal }: { readonly stream: boolean } & Abortable): AsyncGenerator<StatsAnswer> {
    yield* jsonLines<StatsAnswer>(await this.#http.stream('GET', `${path(container)}/stats`, { query: { stream }, signal }));
  }

  async changes(container: string): Promise<readonly ChangeAnswer[]> {
    return (await this.#http.json<readonly ChangeAnswer[] | null>('GET', `${path(container)}/changes`)) ?? [];
  }

  async export(container: string, { signal }: Abortable = {}): Promise<AsyncIterable<Buffer>> {
    return await this.#http.stream('GET', `${path(container)}/export`, { signal });
  }

  async statPath(container: string, file: string): Promise<PathStat> {
    const answer = await this.#http.stream('HEAD', `${path(container)}/archive`, { query: { path: file } });
    answer.resume();
    return readPathStat(answer.headers['x-docker-container-path-stat']);
  }

  async getArchive(
    container: string,
    file: string,
    { signal }: Abortable = {},
  ): Promise<{ readonly stat: PathStat; readonly tar: AsyncIterable<Buffer> }> {
    const answer = await this.#http.stream('GET', `${path(container)}/archive`, { query: { path: file }, signal });
    return { stat: readPathStat(answer.headers['x-docker-container-path-stat']), tar: answer };
  }

  async putArchive(
    container: string,
    folder: string,
    tar: AsyncIterable<Buffer>,
    { noOverwriteDirNonDir, copyUidGid, signal }: { readonly noOverwriteDirNonDir: boolean; readonly copyUidGid: boolean } & Abortable,
  ): Promise<void> {
    const query = { path: folder, noOverwriteDirNonDir, copyUIDGID: copyUidGid };
    await this.#http.done('PUT', `${path(container)}/archive`, { query, body: tar, signal });
  }

  async commit(
    container: string,
    options: {
      readonly repository?: string | undefined;
      readonly tag?: string | undefined;
      readonly author?: string | undefined;
      readonly comment?: string | undefined;
      readonly pause: boolean;
      readonly changes: readonly string[];
    },
  ): Promise<{ readonly Id: string }> {
    const { repository: repo, tag, author, comment, pause, changes } = options;
    return await this.#http.json('POST', '/commit', { query: { container, repo, tag, author, comment, pause, changes }, json: {} });
  }
}

function path(container: string): string {
  return `/containers/${segment(container)}`;
}

async function readWait(stream: AsyncIterable<Buffer>): Promise<WaitAnswer> {
  for await (const answer of jsonLines<WaitAnswer>(stream)) return answer;
  throw dataLoss('the server ended the wait without an exit code');
}

function readPathStat(header: string | string[] | undefined): PathStat {
  try {
    const stat: PathStat = JSON.parse(Buffer.from(String(header), 'base64').toString('utf8'));
    return stat;
  } catch (cause) {
    throw dataLoss('the server sent no description of the path', { cause });
  }
}
