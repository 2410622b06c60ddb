import type {
  CollectedOrphans,
  Filters,
  InstallRequest,
  OnProgress,
  PackFormat,
  PluginInfo,
  PluginLine,
  PluginOffer,
  PluginOrphan,
  PluginUser,
  Plugins as EnginePlugins,
} from '../engine/index.ts';
import { dataLoss, GantryError, notImplemented } from '../errors.ts';
import type { RegistryAuth } from '../transport/index.ts';
import type { Abortable } from '../types/index.ts';
import { showAddress } from './address.ts';
import { authHeader } from './auth-header.ts';
import { filtersParameter } from './filters.ts';
import { type Call, type Http, segment } from './http.ts';
import { jsonLines } from './json-lines.ts';
import { messages } from './messages.ts';

export type PluginDetails = PluginInfo & { readonly users: readonly PluginUser[] };
export interface Fetching extends Abortable {
  readonly auth?: RegistryAuth | undefined;
  readonly onProgress?: OnProgress | undefined;
}
export type PluginCall = Parameters<EnginePlugins['call']>[0];
export type PluginAttachment = Parameters<EnginePlugins['attach']>[0];

const own = '/gantry/v1/plugins';

/**
 * Plugins as the engine has them, on Gantry's own paths; what Docker has a word for goes by Docker's. A plugin is named by its name,
 * alias, id or a unique beginning of the id. Against another server than Gantry's most of it is `not_implemented`.
 */
export class Plugins {
  readonly #http: Http;
  constructor(http: Http) {
    this.#http = http;
  }

  async list({ filters }: { readonly filters?: Filters } = {}): Promise<readonly PluginInfo[]> {
    const found = await this.#json<readonly PluginInfo[]>('GET', '', { query: { filters: filtersParameter(filters) } });
    return found.map(withDates);
  }

  async inspect(name: string): Promise<PluginDetails> {
    return withDates(await this.#json<PluginDetails>('GET', `/${segment(name)}/json`));
  }

  async users(name: string): Promise<readonly PluginUser[]> {
    return await this.#json('GET', `/${segment(name)}/users`);
  }

  /** What the source holds and asks for, and with `upgradeOf` what is new of that; nothing is installed. */
  async offer(
    source: string,
    { auth, signal, upgradeOf }: { readonly upgradeOf?: string | undefined } & Fetching = {},
  ): Promise<PluginOffer> {
    return await this.#json('GET', '/offer', { query: { source, upgradeOf }, headers: authHeader(auth), signal });
  }

  async install(request: InstallRequest, options: Fetching = {}): Promise<PluginInfo> {
    return await this.#fetched('/install', request, options);
  }

  async upgrade(name: string, request: Pick<InstallRequest, 'source' | 'grant'>, options: Fetching = {}): Promise<PluginInfo> {
    return await this.#fetched(`/${segment(name)}/upgrade`, request, options);
  }

  async rollback(name: string): Promise<PluginInfo> {
    return withDates(await this.#json<PluginInfo>('POST', `/${segment(name)}/rollback`));
  }

  /** Deletes what the plugin has and nobody knows of; see the engine's contract. */
  async collectOrphans(
    name: string,
    { all, dryRun, signal }: { readonly all?: boolean; readonly dryRun?: boolean } & Abortable = {},
  ): Promise<CollectedOrphans> {
    const { deleted, kept } = await this.#json<CollectedOrphans>('POST', `/${segment(name)}/gc`, { query: { all, dryRun }, signal });
    return { deleted: deleted.map(seenAt), kept: kept.map(seenAt) };
  }

  async collectOrphansAlways(name: string, always: boolean): Promise<void> {
    await this.#done(`/${segment(name)}/gc-always`, { always });
  }

  /** From a tar of Docker's layout or of ours; stays disabled. */
  async create(name: string, archive: AsyncIterable<Buffer>, { signal }: Abortable = {}): Promise<void> {
    await this.#http.done('POST', '/plugins/create', { query: { name }, body: archive, signal });
  }

  /** A folder, sent as a tar, in the form in which others take it. */
  async pack(
    archive: AsyncIterable<Buffer>,
    { format, signal }: { readonly format: PackFormat } & Abortable,
  ): Promise<AsyncIterable<Buffer>> {
    return await this.#own('POST', '/pack', { query: { format }, body: archive, signal });
  }

  async push(name: string, { auth, onProgress, signal }: Fetching = {}): Promise<void> {
    const stream = await this.#http.stream('POST', `/plugins/${segment(name)}/push`, { headers: authHeader(auth ?? {}), signal });
    for await (const message of messages(stream)) onProgress?.(message);
  }

  async enable(name: string, { timeoutMs = 0, signal }: { readonly timeoutMs?: number } & Abortable = {}): Promise<void> {
    await this.#http.done('POST', `/plugins/${segment(name)}/enable`, { query: { timeout: Math.ceil(timeoutMs / 1e3) }, signal });
  }

  async disable(name: string, { force }: { readonly force?: boolean } = {}): Promise<void> {
    await this.#http.done('POST', `/plugins/${segment(name)}/disable`, { query: { force } });
  }

  async remove(name: string, { force }: { readonly force?: boolean } = {}): Promise<void> {
    await this.#http.done('DELETE', `/plugins/${segment(name)}`, { query: { force } });
  }

  /** Texts are read by the types of the settings' schema; undefined goes back to the default. */
  async set(name: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
    const json = { settings: Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, value ?? null])) };
    await this.#done(`/${segment(name)}/set`, json);
  }

  /** One method of one driver, by hand. */
  async call(request: PluginCall): Promise<unknown> {
    return (await this.#json<{ readonly answer: unknown }>('POST', '/call', { json: request })).answer;
  }

  /** What it printed, and with `follow` what it prints until abort. */
  async *logs(
    name: string,
    { tail, follow, signal }: { readonly tail?: number | undefined; readonly follow?: boolean | undefined } & Abortable = {},
  ): AsyncGenerator<PluginLine> {
    const stream = await this.#own('GET', `/${segment(name)}/logs`, { query: { tail, follow }, signal });
    for await (const line of jsonLines<PluginLine>(stream)) yield { ...line, time: new Date(line.time) };
  }

  async prefer(kind: PluginCall['kind'], driver: string): Promise<void> {
    await this.#done('/default', { kind, driver });
  }

  async bind(kind: PluginCall['kind'], driver: string, plugin: string): Promise<void> {
    await this.#done('/bind', { kind, driver, plugin });
  }

  /** Takes in a plugin that somebody else runs. */
  async attach(request: PluginAttachment): Promise<PluginInfo> {
    return withDates(await this.#json<PluginInfo>('POST', '/attach', { json: request }));
  }

  /** The last message has the plugin. */
  async #fetched(path: string, json: unknown, { auth, onProgress, signal }: Fetching): Promise<PluginInfo> {
    let plugin: unknown;
    for await (const message of messages(await this.#own('POST', path, { json, headers: authHeader(auth), signal }))) {
      if (message.aux === undefined) onProgress?.(message);
      else plugin = message.aux;
    }
    if (plugin === undefined) throw dataLoss('the answer broke off before the plugin was whole');
    return withDates(plugin as PluginInfo);
  }

  async #json<T>(method: string, path: string, call: Call = {}): Promise<T> {
    return await this.#http
      .json<T>(method, `${own}${path}`, { ...call, unversioned: true })
      .catch((error: unknown) => this.#explain(error));
  }

  async #own(method: string, path: string, call: Call): ReturnType<Http['stream']> {
    return await this.#http.stream(method, `${own}${path}`, { ...call, unversioned: true }).catch((error: unknown) => this.#explain(error));
  }

  async #done(path: string, json: unknown): Promise<void> {
    await this.#http.done('POST', `${own}${path}`, { json, unversioned: true }).catch((error: unknown) => this.#explain(error));
  }

  #explain(error: unknown): never {
    if (!GantryError.is(error) || error.code !== 'not_found' || error.message !== 'page not found') throw error;
    const hint = 'it is not Gantry, or an older one; docker plugin may know more';
    throw notImplemented(`the engine at ${showAddress(this.#http.address)} does not have Gantry's plugins`, { hint, cause: error });
  }
}

function withDates<T extends PluginInfo>(plugin: T): T {
  return {
    ...plugin,
    ...(plugin.startedAt === undefined ? {} : { startedAt: new Date(plugin.startedAt) }),
    ...(plugin.orphans === undefined ? {} : { orphans: plugin.orphans.map(seenAt) }),
  };
}

function seenAt<T extends PluginOrphan>(orphan: T): T {
  return { ...orphan, since: new Date(orphan.since) };
}
