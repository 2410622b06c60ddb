import { closeSync, openSync, writeSync } from 'node:fs';
import type { SandboxJob } from './job.ts';

/**
 * This thread's cgroups, while the paths to them are still there. It is in the plugin's only to start processes, which are then born in them: moving a process
 * later makes the kernel wait for all CPUs (10 to 30 ms), and a thread that a small CPU quota stops could hold a lock that the engine needs.
 */
export function openMemberships({ joins, leaves }: Pick<SandboxJob, 'joins' | 'leaves'>): Disposable & { join(): void; leave(): void } {
  using opened = new DisposableStack();
  const open = (path: string): number => opened.adopt(openSync(path, 'w'), closeSync);
  const inside = joins.map(open);
  const outside = leaves.map(open);
  const owned = opened.move();
  // "0" is the writing thread.
  const write = (files: readonly number[]): void => files.forEach((file) => void writeSync(file, '0'));
  return { join: () => write(inside), leave: () => write(outside), [Symbol.dispose]: () => owned.dispose() };
}
