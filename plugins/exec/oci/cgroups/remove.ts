import { rmdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from '@gantry/sdk/linux';
import { thaw } from './freezer.ts';
import { hierarchies } from './hierarchies.ts';
import { cgroupPids, childFolders } from './pids.ts';

/** Removes an empty cgroup and those below it from every tree; false when something in it still lives. Gone already: true. */
export function removeCgroup(cgroup: string): boolean {
  removeStray(cgroup);
  return hierarchies()
    .map(({ folder }) => removeTree(`${folder}${cgroup}`))
    .every(Boolean);
}

/** Kills what is left in it (a container with the host's pid namespace leaves its children) and removes it. */
export async function destroyCgroup(cgroup: string, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; !removeCgroup(cgroup); attempt++) {
    signal.throwIfAborted();
    for (const pid of cgroupPids(cgroup)) kill(pid);
    thaw(cgroup);
    await sleep(Math.min(2 ** attempt, 50), undefined, { signal });
  }
}

/** Where the v2 tree of a hybrid layout is not mounted, crun 1.8 still makes plain folders and files in its place. */
function removeStray(cgroup: string): void {
  if (!hierarchies().some(({ folder }) => folder === unified)) rmSync(`${unified}${cgroup}`, { recursive: true, force: true });
}

const unified = '/sys/fs/cgroup/unified';

function removeTree(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (!isErrno(error, 'EBUSY', 'ENOTEMPTY')) throw error;
  }
  const children = childFolders(folder);
  return children.length > 0 && children.map(removeTree).every(Boolean) && removeTree(folder);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended by itself meanwhile.
  }
}
