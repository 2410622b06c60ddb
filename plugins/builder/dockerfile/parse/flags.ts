import { shellWords } from '@gantry/sdk/builder';
import { parseError, type Place } from './complaint.ts';

/** Flags of an instruction as they are written, by name; a name without a value has "". */
export type Flags = ReadonlyMap<string, readonly string[]>;

const known: Readonly<Record<string, readonly string[]>> = {
  FROM: ['platform'],
  RUN: ['mount', 'network', 'security'],
  COPY: ['from', 'chown', 'chmod', 'link', 'parents', 'exclude'],
  ADD: ['chown', 'chmod', 'link', 'exclude', 'checksum', 'keep-git-dir', 'unpack'],
};
const repeated = new Set(['mount', 'exclude']);

/** Takes the flags off what stands behind an instruction that has some. HEALTHCHECK reads its own. */
export function takeFlags(
  name: string,
  rest: string,
  { place, escape }: { readonly place: Place; readonly escape: string },
): { readonly flags: Flags; readonly rest: string } {
  const flags = new Map<string, string[]>();
  const allowed = known[name];
  let left = rest;
  while (allowed !== undefined && left.startsWith('--')) {
    const [word = ''] = shellWords(left, escape);
    left = left.slice(word.length).trimStart();
    if (word === '--') break;
    const [, key = '', value = ''] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
    if (!allowed.includes(key)) throw parseError(place, `unknown flag: --${key}${suggestion(key, allowed)}`);
    const before = flags.get(key) ?? [];
    if (before.length > 0 && !repeated.has(key)) throw parseError(place, `duplicate flag specified: ${key}`);
    flags.set(key, [...before, value]);
  }
  return { flags, rest: left };
}

/** " (did you mean x?)" when one of them is nearly it. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const [best] = candidates
    .map((candidate) => ({ candidate, distance: distance(word.slice(0, 40), candidate) }))
    .filter((each) => each.distance <= Math.max(1, Math.floor(each.candidate.length / 2)))
    .toSorted((left, right) => left.distance - right.distance);
  return best === undefined ? '' : ` (did you mean ${best.candidate}?)`;
}

/** Of Levenshtein: how many letters to put in, leave out or change. */
function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (const [at, letter] of Array.from(left).entries()) {
    const next = [at + 1];
    for (let to = 0; to < right.length; to++)
      next.push(Math.min((next[to] ?? 0) + 1, (row[to + 1] ?? 0) + 1, (row[to] ?? 0) + (letter === right[to] ? 0 : 1)));
    row = next;
  }
  return row.at(-1) ?? 0;
}
