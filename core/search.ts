import { invalidArgument } from '@gantry/sdk';
import type { Filters } from '@gantry/sdk/engine';
import type { FoundRepository } from '@gantry/sdk/transport';

const mostResults = 100;
const keys = ['is-official', 'is-automated', 'stars'];

export interface SearchQuestion {
  readonly host: string;
  readonly term: string;
  readonly limit: number;
}

/** What is to be asked of whom: the first part of "reg.example:5000/app" is a host when it looks like one, as in references. */
export function searchQuestion(given: string, limit = 25): SearchQuestion {
  if (limit < 1 || limit > mostResults) throw invalidArgument(`limit ${limit} is outside the range of [1, ${mostResults}]`);
  if (/^https?:\/\//.test(given))
    throw invalidArgument(`invalid repository name (${given.slice(0, 100)}): search needs no http:// or https://`);
  if (/\p{Cc}/u.test(given) || given.length > 300) throw invalidArgument('invalid search term');
  const [, first = '', rest = ''] = /^([^/]+)\/(.*)$/.exec(given) ?? [];
  const isHost = first === 'localhost' || /[.:]/.test(first);
  const isHub = !isHost || first === 'docker.io' || first === 'index.docker.io';
  const wanted = isHost ? rest : given;
  const term = isHub ? wanted.replace(/^library\//, '') : wanted;
  if (term === '') throw invalidArgument('a term to search for is needed');
  return { host: isHub ? 'docker.io' : first, term, limit };
}

/** Whether a repository passes the filters; `invalid_argument` for those that nobody knows. */
export function searchFilter(filters: Filters): (found: FoundRepository) => boolean {
  for (const key of Object.keys(filters)) if (!keys.includes(key)) throw invalidArgument(`invalid filter '${key}'`);
  const [official, automated] = [flagOf(filters, 'is-official'), flagOf(filters, 'is-automated')];
  const stars = Math.max(0, ...(filters['stars'] ?? []).map(starsOf));
  return (found) =>
    found.stars >= stars &&
    (official === undefined || found.isOfficial === official) &&
    (automated === undefined || found.isAutomated === automated);
}

function flagOf(filters: Filters, key: string): boolean | undefined {
  const values = filters[key];
  if (values === undefined) return undefined;
  const claims = new Set(values.map((value) => ({ 1: true, true: true, 0: false, false: false })[value]));
  const [claim] = claims;
  if (claims.size !== 1 || claim === undefined) throw invalidArgument(`invalid filter '${key}=[${values.join(' ').slice(0, 80)}]'`);
  return claim;
}

function starsOf(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw invalidArgument(`invalid filter 'stars=[${value.slice(0, 80)}]'`);
  return Number(value);
}
