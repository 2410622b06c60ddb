import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from '../support/daemon.ts';
import type { PowerCutDisk } from '../support/power-cut.ts';

/** The plug is pulled and put back: nothing runs any more, /run is empty, and the disk has what was flushed to it. The data root is the disk. */
export async function cutPower(engine: Daemon, disk: PowerCutDisk): Promise<void> {
  disk.cut();
  await engine.kill('SIGKILL');
  await killOthers();
  await disk.restore();
  rmSync(engine.places.execRoot, { recursive: true, force: true });
}

/** Everybody in this pid namespace but its first process and this one. */
async function killOthers(): Promise<void> {
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
