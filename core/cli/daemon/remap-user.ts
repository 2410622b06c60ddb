import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { errnoNameOf, fromErrno, unavailable } from '@gantry/sdk/errors';
import { type AccountFiles, findAccount, machineFiles } from './accounts.ts';
import { freeIdsFor, leastIds } from './subordinate-ids.ts';

/** dockerd's user for "default". */
export const remapUser = 'dockremap';

/** What the machine lacks of that user; of ids, the first of as many as containers need. */
export interface MissingRemapUser {
  readonly group: boolean;
  readonly user: boolean;
  readonly uids?: number;
  readonly gids?: number;
}

/** Undefined when the user has all it needs. */
export function missingRemapUser(files: AccountFiles = machineFiles()): MissingRemapUser | undefined {
  const uids = freeIdsFor(remapUser, { text: files.subuid, file: '/etc/subuid' });
  const gids = freeIdsFor(remapUser, { text: files.subgid, file: '/etc/subgid' });
  const missing = {
    group: findAccount(remapUser, files.group, 'group') === undefined,
    user: findAccount(remapUser, files.passwd, 'passwd') === undefined,
    ...(uids !== undefined && { uids }),
    ...(gids !== undefined && { gids }),
  };
  return missing.group || missing.user || uids !== undefined || gids !== undefined ? missing : undefined;
}

/** The files as they are when it is made. */
export function withRemapUser(files: AccountFiles, { group, user, uids, gids }: Partial<MissingRemapUser> = {}): AccountFiles {
  return {
    group: group === true ? `${remapUser}:x:new:\n${files.group}` : files.group,
    passwd: user === true ? `${remapUser}:x:new:new::/:\n${files.passwd}` : files.passwd,
    subuid: uids === undefined ? files.subuid : `${remapUser}:${uids}:${leastIds}\n${files.subuid}`,
    subgid: gids === undefined ? files.subgid : `${remapUser}:${gids}:${leastIds}\n${files.subgid}`,
  };
}

/**
 * Makes it with the programs that keep /etc/passwd and the like on this machine: they lock them, and put a whole file in the place of another. Where one of them fails, what
 * was made before stays, and the next start goes on from there. `unavailable` says what to do instead. Answers what was made, for the log.
 */
export function makeRemapUser(missing: MissingRemapUser): string {
  const commands = commandsFor(missing);
  try {
    if (missing.uids !== undefined) writeFileSync('/etc/subuid', '', { flag: 'a' });
    if (missing.gids !== undefined) writeFileSync('/etc/subgid', '', { flag: 'a' });
  } catch (error) {
    throw cannotMake(fromErrno(error, 'it needs ids in /etc/subuid and /etc/subgid').message, commands);
  }
  for (const command of commands) run(command, commands);
  const ids = [missing.uids, missing.gids].map((first, index) =>
    first === undefined ? [] : `${index === 0 ? 'uids' : 'gids'} ${spanOf(first)}`,
  );
  const what = [...(missing.user ? ['the user'] : []), ...ids.flat()].join(', ') || 'the group';
  return `userns-remap: made ${what} ${missing.user ? '' : 'of '}${remapUser}`;
}

type Command = readonly [program: string, ...words: string[]];

function commandsFor({ group, user, uids, gids }: MissingRemapUser): readonly Command[] {
  const ids = [
    ...(uids === undefined ? [] : ['--add-subuids', spanOf(uids)]),
    ...(gids === undefined ? [] : ['--add-subgids', spanOf(gids)]),
  ];
  return [
    ...(group ? [['groupadd', '--system', remapUser] as const] : []),
    ...(user ? [['useradd', '--system', '--gid', remapUser, ...withoutHome, remapUser] as const] : []),
    ...(ids.length > 0 ? [['usermod', ...ids, remapUser] as const] : []),
  ];
}

const withoutHome = ['--no-create-home', '--home-dir', '/nonexistent', '--shell', '/bin/false'];
const spanOf = (first: number): string => `${first}-${first + leastIds - 1}`;
/** They are root's, and an engine may be started without its paths. */
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

function run([program, ...words]: Command, all: readonly Command[]): void {
  const { status, error, stderr } = spawnSync(program, words, { env, encoding: 'utf8', timeout: 30_000 });
  if (status === 0) return;
  if (errnoNameOf(error) === 'ENOENT') throw cannotMake(`there is no ${program} on this machine`, all);
  const said = stderr?.trim().split('\n').at(-1);
  throw cannotMake(error === undefined ? said || `${program} failed` : `${program}: ${error.message}`, all);
}

function cannotMake(reason: string, commands: readonly Command[]): Error {
  return unavailable(`userns-remap: default means the user ${remapUser}, which cannot be made: ${reason}`, {
    hint: `make it where that can be done, by ${commands.map((words) => words.join(' ')).join('; ')}; or name a user that has ids: userns-remap=USER`,
  });
}
