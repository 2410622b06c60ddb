import { existsSync, rmSync } from 'node:fs';
import { conflict } from '@gantry/sdk';
import { thaw } from './cgroups/freezer.ts';
import { destroyCgroup } from './cgroups/remove.ts';
import { isAlive, sendSignal, whenEnded } from './processes.ts';
import type { ContainerRecord } from './records.ts';
import { runRuntime } from './run-runtime.ts';
import type { Runtime } from './runtimes.ts';

/**
 * Removes the runtime's state and the cgroups of a container whose init has ended; with `force` it is killed first. For crun and runc this
 * is what their own `delete` does without hooks (we write none), at 0.1 ms instead of 4.
 */
export async function deleteContainer(
  record: ContainerRecord,
  {
    runtime,
    stateFolder,
    force,
    signal,
  }: { readonly runtime: Runtime; readonly stateFolder: string; readonly force: boolean; readonly signal: AbortSignal },
): Promise<void> {
  if (isAlive(record)) {
    if (!force) throw conflict(`container ${record.id} is still running`);
    sendSignal(record, 9);
    thaw(record.cgroup);
    await whenEnded(record, { signal });
  }
  // One that was removed meanwhile cannot clean up: its files, and what the kernel has, go all the same.
  if (runtime.kind === 'other' && existsSync(runtime.path))
    await runRuntime(runtime, ['delete', '--force', record.id], { signal, doing: `delete container ${record.id}` });
  await destroyCgroup(record.cgroup, signal);
  rmSync(stateFolder, { recursive: true, force: true });
}
