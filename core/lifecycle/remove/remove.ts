import { conflict, messageOf } from '@gantry/sdk';
import { failpoint } from '../../support/index.ts';
import type { Entry } from '../entry.ts';
import { dropPending } from '../io/pending.ts';
import type { Room } from '../room.ts';
import { cancelRestart } from '../stop/restart.ts';
import { killProcess } from '../stop/stop.ts';
import { removeRemains } from './remains.ts';

export interface RemoveOptions {
  readonly force?: boolean;
  readonly volumes?: boolean;
}

/**
 * Removes a container; one that runs only with `force`, which kills it. From the moment it is gone from the list the removal is durable
 * and is finished by the next start of the engine if this one dies. Resolves when nothing is left of it.
 */
export async function removeContainer(room: Room, entry: Entry, { force = false, volumes = false }: RemoveOptions = {}): Promise<void> {
  await endFirst(room, entry, force);
  using _held = await room.lock(entry);
  if (!room.store.has(entry.id)) return;
  if (entry.isRunning && !force) throw refusal(entry);
  cancelRestart(room, entry);
  await removeLocked(room, entry, volumes);
}

/** For containers that are to go when they end; the lock is held. */
export async function removeAfterExit(room: Room, entry: Entry): Promise<void> {
  await removeLocked(room, entry, true);
}

async function endFirst(room: Room, entry: Entry, force: boolean): Promise<void> {
  if (!entry.isRunning) return;
  if (!force) throw refusal(entry);
  entry.exitWanted = true;
  failpoint('remove.kill');
  if (entry.run !== undefined) await killProcess(room, entry);
}

async function removeLocked(room: Room, entry: Entry, withVolumes: boolean): Promise<void> {
  failpoint('remove.intent.removing');
  room.store.remove(entry, { withVolumes });
  failpoint('remove.meta.txn');
  room.parts.images.used(entry.document.imageId);
  await removeRemains(room, entry, { withVolumes }).catch((error: unknown) => {
    room.parts.log.warn(
      { container: entry.id, err: error },
      `remains of container ${entry.id} wait for the next start: ${messageOf(error)}`,
    );
  });
  room.announce(entry, 'destroy');
  dropPending(entry.attaching);
  entry.wake('not-running', 'next-exit', 'removed');
}

function refusal({ name, isPaused, phase }: Entry): Error {
  if (isPaused) return conflict(`cannot remove container "${name}": container is paused and must be unpaused first`);
  if (phase.kind === 'restarting')
    return conflict(`cannot remove container "${name}": container is restarting: stop the container before removing or force remove`);
  return conflict(`cannot remove container "${name}": container is running: stop the container before removing or force remove`);
}
