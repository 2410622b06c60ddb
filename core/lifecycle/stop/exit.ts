import { rmSync } from 'node:fs';
import { messageOf } from '@gantry/sdk';
import type { ExitEvent } from '@gantry/sdk/exec';
import { failpoint } from '../../support/index.ts';
import type { Entry } from '../entry.ts';
import { type StateDocument, timestamp } from '../model.ts';
import { removeAfterExit } from '../remove/remove.ts';
import type { Room } from '../room.ts';
import { detachMounts } from '../start/mounts.ts';
import { scheduleRestart, willRestart } from './restart.ts';

/** What follows the end of a container's process: its resources are freed, whoever waits learns it, and the policy decides what comes next. */
export async function containerEnded(room: Room, entry: Entry, event: Omit<ExitEvent, 'id'>): Promise<void> {
  using _held = await room.lock(entry);
  if (entry.run === undefined) return;
  await endLocked(room, entry, event);
}

/** The same for who holds the lock. */
export async function endLocked(room: Room, entry: Entry, { exitCode, exitedAt, oomKilled }: Omit<ExitEvent, 'id'>): Promise<void> {
  failpoint('stop.exit.collect');
  entry.health?.[Symbol.dispose]();
  entry.health = undefined;
  // Before anybody learns of the end: its ports and addresses can be taken by the next.
  await attempt(room, entry, 'release its networks', () => room.parts.networks.teardown(entry.id));
  failpoint('stop.net.down');
  const ranForMs = exitedAt.getTime() - Date.parse(entry.state.startedAt || exitedAt.toISOString());
  const restarts = willRestart(entry, exitCode);
  recordEnd(
    room,
    entry,
    { exitCode, oomKilled, finishedAt: timestamp(exitedAt), phase: { kind: restarts ? 'restarting' : 'exited' } },
    ranForMs,
  );
  await freeResources(room, entry);
  if (restarts) scheduleRestart(room, entry, ranForMs);
  else if (entry.document.hostConfig.AutoRemove === true) await removeAfterExit(room, entry);
  failpoint('stop.restart-policy');
}

function recordEnd(room: Room, entry: Entry, changes: Partial<StateDocument>, ranForMs: number): void {
  const { health, ...state } = entry.state;
  room.store.setState(entry, { ...state, ...changes, ...(health && { health: { ...health, status: 'unhealthy' } }) });
  entry.unrecordedEnd = undefined;
  failpoint('stop.state');
  if (changes.oomKilled === true) room.announce(entry, 'oom');
  room.announce(entry, 'die', { exitCode: String(changes.exitCode), execDuration: String(Math.max(0, Math.round(ranForMs / 1e3))) });
  entry.wake('not-running', 'next-exit');
}

/** What is left of a run. Each part is tried whatever became of the others. */
export async function freeResources(room: Room, entry: Pick<Entry, 'id' | 'document'>): Promise<void> {
  const { layers, logs } = room.parts;
  const { id } = entry;
  await attempt(room, entry, 'forget its process', async () => (await room.driver(entry)).delete({ id, force: true }, room.context()));
  failpoint('stop.umount');
  const drained = attempt(room, entry, 'drain its log', () => logs.stop(id));
  await attempt(room, entry, 'detach its volumes', () => detachMounts(room, entry));
  await attempt(room, entry, 'unmount its root', () => layers.unmount(id));
  await attempt(room, entry, 'remove its bundle', () => Promise.resolve(rmSync(room.folders.bundle(id), { recursive: true, force: true })));
  await drained;
}

async function attempt(room: Room, { id }: Pick<Entry, 'id'>, doing: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    room.parts.log.warn({ container: id, err: error }, `container ${id} ended, but could not ${doing}: ${messageOf(error)}`);
  }
}
