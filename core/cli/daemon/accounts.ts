import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fromErrno } from '@gantry/sdk/errors';

/** Texts of these files of the machine; users and groups may be known elsewhere, too. */
export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
  readonly subuid: string;
  readonly subgid: string;
}

/** A user or a group. */
export interface Account {
  readonly name: string;
  readonly id: string;
}

/** By name, or by number; undefined: there is none. */
export function findAccount(wish: string, text: string, database: 'passwd' | 'group'): Account | undefined {
  const at = isNumber(wish) ? 2 : 0;
  const wanted = isNumber(wish) ? String(Number(wish)) : wish;
  const lines = text.split('\n');
  const row = lines.map((line) => line.split(':')).find((fields) => fields[at] === wanted) ?? asked(database, wanted);
  const [name = '', , id = ''] = row ?? [];
  return name === '' || id === '' ? undefined : { name, id };
}

export const isNumber = (text: string): boolean => /^\d+$/.test(text);

export function machineFiles(): AccountFiles {
  return { passwd: read('passwd'), group: read('group'), subuid: read('subuid'), subgid: read('subgid') };
}

/** Accounts of LDAP and the like. */
function asked(database: string, wanted: string): readonly string[] | undefined {
  const { status, stdout } = spawnSync('getent', [database, '--', wanted], { encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? stdout.trim().split(':') : undefined;
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
