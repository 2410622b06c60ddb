import { invalidArgument } from '@gantry/sdk/errors';

/** So many ids of a user namespace from `inside` on are the machine's from `outside` on. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly size: number;
}

/** subuid(5) or subgid(5), and whose ids are looked for there. */
export interface SubordinateIds {
  readonly text: string;
  readonly file: '/etc/subuid' | '/etc/subgid';
  /** Of usermod: it adds some. */
  readonly option: string;
  /** For messages. */
  readonly user: string;
}

/** With fewer, users that images are made with, nobody the last of them, would be none. */
export const leastIds = 65_536;

/** The ranges of the first owner that has any, one after the other from the lowest on. Refuses with `invalid_argument`, naming the file and what to do. */
export function rangesOf(owners: readonly string[], { text, file, option, user }: SubordinateIds): readonly IdRange[] {
  const rows = rowsOf(text, file);
  const owner = owners.find((candidate) => rows.some((row) => row.owner === candidate));
  const own = rows.filter((row) => row.owner === owner).toSorted((a, b) => a.first - b.first);
  const help = { hint: `usermod ${option} FIRST-LAST ${user} adds some that nobody has` };
  if (own.length === 0) throw invalidArgument(`userns-remap: ${file} has no ids for ${user}`, help);
  if (own.length > mostRanges) throw invalidArgument(`userns-remap: ${file} has ${own.length} ranges for ${user}, more than ${mostRanges}`);
  const clash = own.find(({ first }, index) => first < (own[index - 1]?.end ?? 0));
  if (clash !== undefined)
    throw invalidArgument(`userns-remap: ranges of ${user} in ${file} overlap at ${clash.first}`, { hint: `correct ${file}` });
  if (own[0]?.first === 0)
    throw invalidArgument(`userns-remap: ${file} gives ${user} the id 0, which is root of this machine`, { hint: `correct ${file}` });
  const size = own.reduce((sum, { first, end }) => sum + end - first, 0);
  if (size < leastIds) throw invalidArgument(`userns-remap: ${file} has ${size} ids for ${user}, and containers need ${leastIds}`, help);
  let inside = 0;
  return own.map(({ first, end }) => {
    const range = { inside, outside: first, size: end - first };
    inside += range.size;
    return range;
  });
}

/** The first of `leastIds` ids that come after all that anybody has in a file; undefined when `owner` has some. */
export function freeIdsFor(owner: string, { text, file }: Pick<SubordinateIds, 'text' | 'file'>): number | undefined {
  const rows = rowsOf(text, file);
  if (rows.some((row) => row.owner === owner)) return undefined;
  const first = Math.max(firstOfAll, ...rows.map(({ end }) => end));
  if (first + leastIds > idCount)
    throw invalidArgument(`userns-remap: ${file} gives ids up to ${first - 1}, and ${leastIds} more are not left for ${owner}`, {
      hint: `give ${owner} some that nobody has, as in ${owner}:100000:${leastIds}`,
    });
  return first;
}

/** Where useradd begins to give some away, login.defs(5). */
const firstOfAll = 100_000;
/** user_namespaces(7) */
const mostRanges = 340;
const idCount = 2 ** 32 - 1;

/** NAME:FIRST:COUNT, subuid(5). A line that says nothing might have been the one that counts. */
function rowsOf(text: string, file: string): readonly { readonly owner: string; readonly first: number; readonly end: number }[] {
  return text.split('\n').flatMap((line, index) => {
    if (/^\s*(#|$)/.test(line)) return [];
    const [, owner = '', first = '', count = ''] = /^([^:]+):(\d{1,10}):(\d{1,10})\s*$/.exec(line) ?? [];
    const end = Number(first) + Number(count);
    if (owner === '' || count === '0' || end > idCount)
      throw invalidArgument(`userns-remap: line ${index + 1} of ${file} is not NAME:FIRST:COUNT: ${JSON.stringify(line)}`);
    return [{ owner, first: Number(first), end }];
  });
}
