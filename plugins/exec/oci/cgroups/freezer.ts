import { writeFileSync } from 'node:fs';
import { isErrno } from '@gantry/sdk/linux';
import { readCgroupFile } from './files.ts';
import { cgroupFolder, cgroupVersion } from './hierarchies.ts';

/** Frozen, or asked to be: the kernel may still be at it (v1 says FREEZING meanwhile). */
export function isFrozen(cgroup: string): boolean {
  const folder = cgroupFolder(cgroup, 'freezer');
  if (cgroupVersion() === 2) return readCgroupFile(folder, 'cgroup.freeze') === '1';
  return ['FROZEN', 'FREEZING'].includes(readCgroupFile(folder, 'freezer.state') ?? '');
}

/** A frozen process of cgroup v1 does not even die; crun leaves one so when it is killed while it cleans up. Gone or not frozen: nothing. */
export function thaw(cgroup: string): void {
  if (!isFrozen(cgroup)) return;
  const [file, value] = cgroupVersion() === 2 ? ['cgroup.freeze', '0'] : ['freezer.state', 'THAWED'];
  try {
    writeFileSync(`${cgroupFolder(cgroup, 'freezer')}/${file}`, value);
  } catch (error) {
    // Removed meanwhile.
    if (!isErrno(error, 'ENOENT', 'ENODEV')) throw error;
  }
}
