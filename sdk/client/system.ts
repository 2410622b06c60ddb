import type { CheckOptions, CheckReport, Filters } from '../engine/index.ts';
import { dataLoss } from '../errors.ts';
import type { RegistryAuth } from '../transport/index.ts';
import type { Abortable } from '../types/index.ts';
import { authHeader } from './auth-header.ts';
import { filtersParameter } from './filters.ts';
import type { Http } from './http.ts';
import { jsonLines } from './json-lines.ts';
import { messages } from './messages.ts';
import type { DiskUsageAnswer, EventAnswer, InfoAnswer, SearchResult, VersionAnswer } from './shapes.ts';

export class System {
  readonly #http: Http;
  constructor(http: Http) {
    this.#http = http;
  }

  /** Resolves when the server answers. */
  async ping({ signal }: Abortable = {}): Promise<void> {
    await this.#http.done('GET', '/_ping', { unversioned: true, signal });
  }

  async version(): Promise<VersionAnswer> {
    return await this.#http.json('GET', '/version');
  }

  async info(): Promise<InfoAnswer> {
    return await this.#http.json('GET', '/info');
  }

  /** The past since `since`, then what happens, until `until` or abort. Times in unix seconds, with fraction. */
  async *events(
    query: { readonly since?: string | undefined; readonly until?: string | undefined; readonly filters?: Filters } & Abortable,
  ): AsyncGenerator<EventAnswer> {
    const { since, until, filters, signal } = query;
    const parameters = { since, until, filters: filtersParameter(filters) };
    yield* jsonLines<EventAnswer>(await this.#http.stream('GET', '/events', { query: parameters, signal }), wholeNanoseconds);
  }

  /** Gantry's own: holds everything stored against the records, and with `repair` mends what can be mended. */
  async check({ repair = false, onProgress, signal }: CheckOptions = {}): Promise<CheckReport> {
    const answer = await this.#http.stream('POST', '/gantry/v1/system/check', { query: { repair }, unversioned: true, signal });
    for await (const message of messages(answer)) {
      if (message.aux !== undefined) return message.aux as CheckReport;
      onProgress?.(message);
    }
    throw dataLoss('the answer broke off before the check was over');
  }

  /** Asks the engine to ask the registry; nothing is kept. */
  async login(
    { username, password, serverAddress: serveraddress, identityToken: identitytoken }: RegistryAuth,
    { signal }: Abortable = {},
  ): Promise<void> {
    await this.#http.done('POST', '/auth', { json: { username, password, serveraddress, identitytoken }, signal });
  }

  /** Repositories with the term in their name or description; "reg.example:5000/app" searches there, else Docker Hub. */
  async search(
    { term, limit, filters }: { readonly term: string; readonly limit?: number | undefined; readonly filters?: Filters },
    { auth, signal }: { readonly auth?: RegistryAuth } & Abortable = {},
  ): Promise<readonly SearchResult[]> {
    const query = { term, limit, filters: filtersParameter(filters) };
    return await this.#http.json('GET', '/images/search', { query, headers: authHeader(auth), signal });
  }

  /** Of these kinds only, else of all: whoever wants one need not wait for the others to be counted. */
  async diskUsage({
    type,
  }: {
    readonly type?: readonly ('container' | 'image' | 'volume' | 'build-cache')[];
  } = {}): Promise<DiskUsageAnswer> {
    return await this.#http.json('GET', '/system/df', { query: { type } });
  }
}

/** Nanoseconds since 1970 are more digits than a number holds. */
function wholeNanoseconds(this: unknown, key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return key === 'timeNano' && context?.source !== undefined ? BigInt(context.source) : value;
}
