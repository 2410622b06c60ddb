import { writeFileSync } from 'node:fs';
import { readCgroupFile, readTable } from './files.ts';
import { cgroupFolder, cgroupVersion } from './hierarchies.ts';

export function isFrozen(cgroup: string): boolean {
  const folder = cgroupFolder(cgroup, 'freezer');
  if (cgroupVersion() === 2) return readTable(folder, 'cgroup.events')['frozen'] === 1;
  return readCgroupFile(folder, 'freezer.state') === 'FROZEN';
}

/** A frozen process of cgroup v1 does not even die; crun leaves one so when it is killed while it cleans up. Gone or not frozen: nothing. */
export function thaw(cgroup: string): void {
  if (!isFrozen(cgroup) && readCgroupFile(cgroupFolder(cgroup, 'freezer'), 'freezer.state') !== 'FREEZING') return;
  const [file, value] = cgroupVersion() === 2 ? ['cgroup.freeze', '0'] : ['freezer.state', 'THAWED'];
  writeFileSync(`${cgroupFolder(cgroup, 'freezer')}/${file}`, value);
}
