import { readdirSync } from 'node:fs';
import { readCgroupFile } from './files.ts';
import { cgroupFolder, hierarchies } from './hierarchies.ts';

/** Host pids of everything in the cgroup and below it; none when it is gone. */
export function cgroupPids(cgroup: string): readonly number[] {
  const folder = cgroupFolder(cgroup, 'pids') ?? cgroupFolder(cgroup, 'devices') ?? `${hierarchies()[0]?.folder ?? ''}${cgroup}`;
  const pids: number[] = [];
  collect(folder, pids);
  return pids;
}

function collect(folder: string, pids: number[]): void {
  for (const line of readCgroupFile(folder, 'cgroup.procs')?.split('\n') ?? []) if (line !== '') pids.push(Number(line));
  for (const child of childFolders(folder)) collect(child, pids);
}

export function childFolders(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${folder}/${entry.name}`);
  } catch {
    return [];
  }
}
