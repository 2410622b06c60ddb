import { existsSync, globSync } from 'node:fs';
import type { HostAbilities } from '../validate/index.ts';

/** The cgroup version that limits containers here; cgroups(7). Hybrid layouts limit by v1. */
export function cgroupVersion(): 1 | 2 {
  known ??= existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1;
  return known;
}

/** Looked up once. The root of a v2 tree has no weights: any group below it tells. */
export function hostAbilities(): HostAbilities {
  abilities ??= { cgroupVersion: cgroupVersion(), hasBlkioWeight: globSync(weights[cgroupVersion()]).length > 0 };
  return abilities;
}

const weights = {
  // The one of the bfq scheduler counts for no disk that has another, and Docker does not look at it.
  1: '/sys/fs/cgroup/blkio/blkio.weight',
  2: '/sys/fs/cgroup/*/io.{weight,bfq.weight}',
} as const;

let known: 1 | 2 | undefined;
let abilities: HostAbilities | undefined;
