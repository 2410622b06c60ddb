import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fromErrno, invalidArgument } from '@gantry/sdk/errors';

/** So many ids of a user namespace from `inside` on are the machine's from `outside` on. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly size: number;
}

/** Texts of these files of the machine; users and groups may be known elsewhere, too. */
export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
  readonly subuid: string;
  readonly subgid: string;
}

/**
 * The maps that `userns-remap` means, as dockerd finds them: the ranges that /etc/subuid and /etc/subgid give to a user, one after the other from the lowest on.
 * "default" is the user dockremap. Refuses with `invalid_argument`, naming the file and what to do.
 */
export function remappedIds(
  wish: string,
  files: AccountFiles = machineFiles(),
): { readonly uids: readonly IdRange[]; readonly gids: readonly IdRange[] } {
  const [user = '', group, ...more] = wish.split(':');
  if (user === '' || group === '' || more.length > 0) {
    throw invalidArgument(`userns-remap: ${JSON.stringify(wish)} is no user`, {
      hint: 'default, or a user, uid, user:group or uid:gid of this machine',
    });
  }
  const account = findUser(user, files);
  const groupAccount = findGroup(group ?? (isNumber(user) ? user : account.name), files);
  if (account.id === '0')
    throw invalidArgument(`userns-remap: ${account.name} is root of this machine, who cannot be mapped to himself`, {
      hint: 'leave it out',
    });
  const uids = rangesOf([account.name, account.id], {
    text: files.subuid,
    file: '/etc/subuid',
    option: '--add-subuids',
    user: account.name,
  });
  const owners = [account.name, account.id, groupAccount.name];
  const gids = rangesOf(owners, { text: files.subgid, file: '/etc/subgid', option: '--add-subgids', user: account.name });
  return { uids, gids };
}

/** dockerd's user for "default". */
const defaultUser = 'dockremap';
/** With fewer, users that images are made with, nobody the last of them, would be none. */
const leastIds = 65_536;
/** user_namespaces(7) */
const mostRanges = 340;
const idCount = 2 ** 32 - 1;

interface Account {
  readonly name: string;
  readonly id: string;
}

function findUser(wish: string, { passwd }: AccountFiles): Account {
  const name = wish === 'default' ? defaultUser : wish;
  const found = find(name, passwd, 'passwd');
  if (found !== undefined) return found;
  if (wish !== 'default')
    throw invalidArgument(`userns-remap: there is no user ${wish}`, { hint: 'getent passwd lists those that there are' });
  throw invalidArgument(`userns-remap: default means the user ${defaultUser}, and there is none`, { hint: making });
}

function findGroup(name: string, { group }: AccountFiles): Account {
  const found = find(name, group, 'group');
  if (found !== undefined) return found;
  throw invalidArgument(`userns-remap: there is no group ${name}`, { hint: 'name one: userns-remap=user:group' });
}

const making = `useradd --system --user-group --shell /usr/sbin/nologin ${defaultUser}; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${defaultUser}, with numbers that nobody has`;

function find(wish: string, text: string, database: 'passwd' | 'group'): Account | undefined {
  const at = isNumber(wish) ? 2 : 0;
  const wanted = isNumber(wish) ? String(Number(wish)) : wish;
  const lines = text.split('\n');
  const row = lines.map((line) => line.split(':')).find((fields) => fields[at] === wanted) ?? asked(database, wanted);
  const [name = '', , id = ''] = row ?? [];
  return name === '' || id === '' ? undefined : { name, id };
}

/** Accounts of LDAP and the like. */
function asked(database: string, wanted: string): readonly string[] | undefined {
  const { status, stdout } = spawnSync('getent', [database, '--', wanted], { encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? stdout.trim().split(':') : undefined;
}

const isNumber = (text: string): boolean => /^\d+$/.test(text);

interface Source {
  readonly text: string;
  readonly file: string;
  readonly option: string;
  readonly user: string;
}

/** Those of the first owner that has any. */
function rangesOf(owners: readonly string[], { text, file, option, user }: Source): readonly IdRange[] {
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

function machineFiles(): AccountFiles {
  return { passwd: read('passwd'), group: read('group'), subuid: read('subuid'), subgid: read('subgid') };
}

/** One that is not there has nobody in it. */
function read(name: keyof AccountFiles): string {
  try {
    return readFileSync(`/etc/${name}`, 'utf8');
  } catch (error) {
    const failure = fromErrno(error, `userns-remap: cannot read /etc/${name}`);
    if (failure.code === 'not_found') return '';
    throw failure;
  }
}
