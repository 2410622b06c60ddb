import { unavailable } from '@gantry/sdk';
import type { Place } from '@gantry/sdk/transport';
import { readLimited } from './read-limited.ts';
import { checkReferral } from './hosts.ts';
import type { Answer, Registry } from './registry.ts';

const maxPageBytes = 4 * 1024 * 1024;
const mostTags = 10_000;
const pageSize = 1000;

/** All tags of a repository, page by page (OCI distribution, "Listing tags"). */
export async function readTags(registry: Registry, place: Place, signal: AbortSignal): Promise<readonly string[]> {
  const about = `${place.host}/${place.repository}: tags`;
  const tags = new Set<string>();
  for (let at: string | URL | undefined = `tags/list?n=${pageSize}`; at !== undefined; ) {
    const answer: Answer = await registry.ask({ place, access: 'pull', method: 'GET', at, what: 'tags', wanted: [200] }, signal);
    const before = tags.size;
    for (const tag of tagsIn(await readLimited(answer.body(), maxPageBytes, about), about)) tags.add(tag);
    if (tags.size > mostTags) throw unavailable(`${about}: more than ${mostTags}`, { hint: 'name the tag that is wanted' });
    at = tags.size === before ? undefined : nextPage(answer);
  }
  return [...tags];
}

function tagsIn(bytes: Buffer, about: string): readonly string[] {
  const { tags } = Object(parsed(bytes, about)) as { readonly tags?: unknown };
  if (tags === null || tags === undefined) return [];
  const areTags = Array.isArray(tags) && tags.every((tag) => typeof tag === 'string' && /^\w[\w.-]{0,127}$/.test(tag));
  if (!areTags) throw unavailable(`${about}: the registry answered no list of tags`);
  return tags as readonly string[];
}

function parsed(bytes: Buffer, about: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw unavailable(`${about}: the registry answered no list of tags`, { cause });
  }
}

function nextPage({ message, url }: Answer): URL | undefined {
  const { link } = message.headers;
  const [, target = ''] = /^<([^>]+)>\s*;\s*rel="?next"?/.exec(typeof link === 'string' ? link : '') ?? [];
  if (target === '' || !URL.canParse(target, url.href)) return undefined;
  const next = new URL(target, url);
  checkReferral(url, next, 'lists further tags at');
  return next;
}
