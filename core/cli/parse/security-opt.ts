import { readFileSync } from 'node:fs';
import { fromErrno } from '@gantry/sdk/errors';
import { refuse } from './refuse.ts';

/** A seccomp profile named by a file becomes its content: the engine may not see the client's files. */
export function parseSecurityOpt(text: string): string {
  if (text === 'no-new-privileges') return text;
  const [, key = '', value = ''] = /^([a-z-]+)[=:](.+)$/s.exec(text) ?? [];
  if (key === '')
    throw refuse(text, 'is not a security option', 'e.g. seccomp=unconfined, apparmor=profile, label=disable, no-new-privileges');
  if (key !== 'seccomp' || value === 'unconfined' || value === 'builtin') return text;
  return `seccomp=${readProfile(text, value)}`;
}

function readProfile(text: string, path: string): string {
  try {
    return JSON.stringify(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) throw refuse(text, 'names a file that is not JSON');
    throw fromErrno(error, 'cannot read the seccomp profile');
  }
}
