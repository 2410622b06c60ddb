import { globSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from '../support/engine/daemon.ts';
import type { PowerCutDisk } from '../support/disks/power-cut.ts';

/** The plug is pulled and put back: nothing runs any more, /run is empty, and the disk has what was flushed to it. The data root is the disk. */
export async function cutPower(engine: Daemon, disk: PowerCutDisk): Promise<void> {
  disk.cut();
  await engine.kill('SIGKILL');
  await killOthers();
  await disk.restore();
  for (const cgroup of globSync('/sys/fs/cgroup/{*/,}gantry/*/')) removeCgroup(cgroup);
  rmSync(engine.places.execRoot, { recursive: true, force: true });
}

/** A cgroup goes by rmdir(2) alone; in place of the v2 tree of a hybrid layout is a tmpfs, where files are in the way. */
function removeCgroup(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    rmSync(path, { recursive: true });
  }
}

/** Everybody in this pid namespace but its first process and this one. */
export async function killOthers(): Promise<void> {
  const spared = new Set([1, process.pid]);
  for (let others = living(spared); others.length > 0; others = living(spared)) {
    for (const pid of others) kill(pid);
    await sleep(10);
  }
}

function living(spared: ReadonlySet<number>): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && !spared.has(pid) && isAlive(pid));
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
