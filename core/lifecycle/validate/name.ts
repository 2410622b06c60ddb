import { invalidArgument } from '@gantry/sdk';

const allowed = '[a-zA-Z0-9][a-zA-Z0-9_.-]';
const pattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** The name without a leading slash, or `invalid_argument` with Docker's words. */
export function checkContainerName(name: string): string {
  const bare = name.startsWith('/') ? name.slice(1) : name;
  if (!pattern.test(bare)) throw invalidArgument(`Invalid container name (${name}), only ${allowed} are allowed`);
  return bare;
}
