import { posix } from 'node:path';
import { invalidArgument } from '@gantry/sdk';

/** Where the container's cgroup is, from the root of each hierarchy. */
export function cgroupsPath(parent: string, id: string): string {
  const clean = posix.normalize(`/${parent || 'gantry'}`);
  if (!/^[\w./:@-]+$/.test(clean) || parent.split('/').includes('..'))
    throw invalidArgument(`invalid cgroup parent ${JSON.stringify(parent)}`);
  return posix.join(clean, id);
}
