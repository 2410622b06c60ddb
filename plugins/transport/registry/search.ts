import { unavailable } from '@gantry/sdk';
import type { FoundRepository, Place, RegistryAuth } from '@gantry/sdk/transport';
import { baseUrl } from './hosts.ts';
import { readLimited } from './read-limited.ts';
import type { Answer, Registry } from './registry.ts';

const maxAnswerBytes = 4 * 1024 * 1024;
/** Names of a catalog that are looked through. */
const mostNames = 1000;

export interface Search {
  readonly host: string;
  readonly term: string;
  readonly limit: number;
  readonly auth?: RegistryAuth | undefined;
}

/** Asks the search of Docker's index protocol; a registry without one is asked for its catalog (OCI distribution has no search). */
export async function searchRepositories(
  registry: Registry,
  search: Search,
  { signal, insecure }: { readonly signal: AbortSignal; readonly insecure: readonly string[] },
): Promise<readonly FoundRepository[]> {
  const isHub = search.host === 'docker.io';
  const host = isHub ? 'index.docker.io' : search.host;
  const place = { host, repository: '', ...(search.auth && !isHub && { auth: search.auth }) };
  const base = baseUrl(host, insecure);
  const at = new URL(`/v1/search?${new URLSearchParams({ q: search.term, n: String(search.limit) }).toString()}`, base);
  const wanted = isHub ? [200] : [200, 404];
  const answer = await registry.ask({ place, access: 'pull', method: 'GET', at, what: 'search', wanted }, signal);
  if (answer.message.statusCode === 200) return (await resultsOf(answer, host)).slice(0, search.limit);
  answer.message.resume();
  return await searchCatalog(registry, { ...search, place, base }, signal);
}

async function searchCatalog(
  registry: Registry,
  { place, base, term, limit }: Search & { readonly place: Place; readonly base: URL },
  signal: AbortSignal,
): Promise<readonly FoundRepository[]> {
  const at = new URL(`/v2/_catalog?n=${mostNames}`, base);
  const answer = await registry.ask({ place, access: 'pull', method: 'GET', at, what: 'catalog', wanted: [200] }, signal);
  const { repositories } = await documentOf(answer, place.host);
  if (!Array.isArray(repositories)) throw unavailable(`${place.host}: the registry answered no catalog`);
  const names = repositories.filter((name): name is string => typeof name === 'string' && name.includes(term.toLowerCase()));
  return names.slice(0, limit).map((name) => found({ name: `${place.host}/${name}` }));
}

async function resultsOf(answer: Answer, host: string): Promise<readonly FoundRepository[]> {
  const { results } = await documentOf(answer, host);
  if (!Array.isArray(results)) throw unavailable(`${host}: the registry answered no search results`, { hint: 'is this a registry?' });
  return results.map((result: unknown) => found(Object(result) as Readonly<Record<string, unknown>>));
}

async function documentOf(answer: Answer, host: string): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readLimited(answer.body(), maxAnswerBytes, `${host}: search`);
  try {
    return Object(JSON.parse(bytes.toString('utf8'))) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw unavailable(`${host}: the registry answered no search results`, { cause, hint: 'is this a registry?' });
  }
}

/** What a registry says is shown in terminals. */
function found(result: Readonly<Record<string, unknown>>): FoundRepository {
  const text = (value: unknown, most: number): string =>
    typeof value === 'string'
      ? value
          .replace(/\p{Cc}+/gu, ' ')
          .trim()
          .slice(0, most)
      : '';
  const stars = Number(result['star_count']);
  return {
    name: text(result['name'], 300),
    description: text(result['description'], 1000),
    stars: Number.isSafeInteger(stars) && stars > 0 ? stars : 0,
    isOfficial: result['is_official'] === true,
    isAutomated: result['is_automated'] === true,
  };
}
