import { existsSync } from 'node:fs';

/** The cgroup version that limits containers here; cgroups(7). Hybrid layouts limit by v1. */
export function cgroupVersion(): 1 | 2 {
  known ??= existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1;
  return known;
}

let known: 1 | 2 | undefined;
