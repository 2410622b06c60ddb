import { invalidArgument } from '@gantry/sdk/errors';
import { type Account, type AccountFiles, findAccount, isNumber, machineFiles } from './accounts.ts';
import { missingRemapUser, remapUser, withRemapUser } from './remap-user.ts';
import { type IdRange, rangesOf } from './subordinate-ids.ts';

/**
 * The maps that `userns-remap` means, as dockerd finds them: the ranges that /etc/subuid and /etc/subgid give to a user, one after the other from the lowest on.
 * "default" is the user dockremap, with what it will have when the engine starts. Refuses with `invalid_argument`, naming the file and what to do.
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
  if (wish === 'default') return remappedIds(remapUser, withRemapUser(files, missingRemapUser(files)));
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

function findUser(name: string, { passwd }: AccountFiles): Account {
  const found = findAccount(name, passwd, 'passwd');
  if (found !== undefined) return found;
  throw invalidArgument(`userns-remap: there is no user ${name}`, { hint: 'getent passwd lists those that there are' });
}

function findGroup(name: string, { group }: AccountFiles): Account {
  const found = findAccount(name, group, 'group');
  if (found !== undefined) return found;
  throw invalidArgument(`userns-remap: there is no group ${name}`, { hint: 'name one: userns-remap=user:group' });
}
