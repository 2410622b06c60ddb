import { fstatSync, openSync, closeSync, readFileSync } from 'node:fs';
import { forbidden, fromErrno, invalidArgument } from '@gantry/sdk/errors';
import { parseAssignment } from './key-value.ts';
import { refuse } from './refuse.ts';

/** "KEY=file": the value is the file's content ("-": what stdin has), so that no list of processes and no history of a shell shows it. */
export function parseSecret(given: string): readonly [key: string, value: string] {
  const [key, path] = parseAssignment(given);
  if (path === '') throw refuse(given, 'names no file', 'write KEY=file, or KEY=- for stdin');
  return [key, readSecret(path)];
}

/** Without the newline that editors put at its end. A file that every user of the machine can read is `forbidden`: what is in it is no secret. */
export function readSecret(path: string): string {
  let secret: string;
  try {
    secret = (path === '-' ? readFileSync(0, 'utf8') : readClosed(path)).replace(/\r?\n$/, '');
  } catch (error) {
    throw fromErrno(error, `cannot read the secret`);
  }
  if (secret === '') throw invalidArgument(`${path} is empty`, { hint: 'it must hold the secret and nothing else' });
  return secret;
}

function readClosed(path: string): string {
  const file = openSync(path, 'r');
  try {
    const { mode } = fstatSync(file);
    if ((mode & 0o004) !== 0)
      throw forbidden(`every user of this machine can read ${path} (mode ${(mode & 0o777).toString(8)})`, { hint: `chmod o-r ${path}` });
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}
