import { createHash } from 'node:crypto';
import { invalidArgument } from '@gantry/sdk';

const longest = 255;

/** Throws `invalid_argument` in Docker's words: a name must never be a path. */
export function checkVolumeName(name: string): void {
  if (name.length === 1) throw invalidArgument('volume name is too short, names should be at least two alphanumeric characters');
  if (name.length > longest)
    throw invalidArgument(`create ${name.slice(0, 20)}…: volume name has ${name.length} characters; at most ${longest}`);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
    throw invalidArgument(
      `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  }
}

/** A name for folders: two volumes never share it, and its length does not depend on the volume's. */
export function hashOfName(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 24);
}
