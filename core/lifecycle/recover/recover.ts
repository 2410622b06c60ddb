import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@gantry/sdk';
import type { Entry } from '../entry.ts';
import { loggedContainer } from '../logged.ts';
import { removeRemains } from '../remove/remains.ts';
import { wantsStartAtBoot } from '../restart-policy.ts';
import type { Room } from '../room.ts';
import { removeStaged } from '../start/staging.ts';
import { freeResources } from '../stop/exit.ts';
import { scheduleRestart } from '../stop/restart.ts';
import { adopt } from './adopt.ts';
import { startAgain } from './start-again.ts';

/**
 * Brings records and reality together after the engine was started: running containers are taken over, ends are collected, half-made
 * starts taken back, removals finished, what belongs to nobody taken away, and restart policies applied. One container's trouble is logged
 * and keeps none of the others.
 */
export async function recover(room: Room): Promise<void> {
  const entries = room.store.all();
  // Taken before the first await: what is being made or removed from now on is not ours to clean up.
  const removals = room.rows.removals();
  const orphans = findOrphans(room);
  const tidied = attempt(room, '', 'remove staged mounts', async () => removeStaged(room.folders.staged));
  const toStart = entries.filter((entry) => startsAtBoot(entry));
  const undelivered = new Set(room.parts.logs.undelivered());
  await tidied;
  await Promise.all(entries.map((entry) => attempt(room, entry.id, 'recover', () => recoverOne(room, entry, undelivered.has(entry.id)))));
  await attempt(room, '', 'finish removals', () => finishRemovals(room, removals));
  await attempt(room, '', 'remove what belongs to no container', () => removeOrphans(room, orphans));
  const running = new Set(entries.filter(({ run }) => run !== undefined).map(({ id }) => id));
  await attempt(room, '', 'sweep networks', () => room.parts.networks.sweep(running));
  await Promise.all(toStart.map((entry) => attempt(room, entry.id, 'start', () => startAgain(room, entry))));
}

async function recoverOne(room: Room, entry: Entry, hasOutput: boolean): Promise<void> {
  using _held = await room.lock(entry);
  switch (entry.phase.kind) {
    case 'starting':
    case 'running':
      return await adopt(room, entry);
    case 'restarting':
      // First of all the run that ended: its exit would be taken for the next one's.
      await freeLeftovers(room, entry, hasOutput);
      return scheduleRestart(room, entry, 0);
    case 'created':
    case 'exited':
    case 'dead':
    case 'removing':
      await freeLeftovers(room, entry, hasOutput);
      return;
    default:
      entry.phase satisfies never;
  }
}

/** Its process ended, but the engine did not live to free what it had. */
async function freeLeftovers(room: Room, entry: Entry, hasOutput: boolean): Promise<void> {
  if (hasOutput) room.parts.logs.start(loggedContainer(room, entry));
  if (existsSync(room.folders.bundle(entry.id))) await freeResources(room, entry);
  else if (hasOutput) await room.parts.logs.stop(entry.id);
}

function startsAtBoot({ phase, state, document, isRunning }: Entry): boolean {
  if (phase.kind !== 'exited') return false;
  const facts = { wasRunning: isRunning, stoppedByUser: state.stoppedByUser, hasRun: state.startedAt !== '' };
  return wantsStartAtBoot(document.hostConfig.RestartPolicy ?? {}, facts);
}

async function finishRemovals(room: Room, removals: ReturnType<Room['rows']['removals']>): Promise<void> {
  for (const { id, document } of removals) {
    await attempt(room, id, 'finish the removal of', async () => {
      await freeResources(room, { id, document: document.document });
      await removeRemains(room, { id, name: document.name, document: document.document }, { withVolumes: document.withVolumes });
    });
  }
}

interface Orphans {
  readonly ids: readonly string[];
  readonly folders: readonly string[];
}

/** What a crash in the middle of a create left: ids that other rooms know, and folders. */
function findOrphans(room: Room): Orphans {
  const folders = [room.folders.data, room.folders.exec].flatMap((folder) =>
    (existsSync(folder) ? readdirSync(folder) : []).flatMap((id) => (room.store.has(id) ? [] : [join(folder, id)])),
  );
  return { ids: room.rows.orphans(), folders };
}

async function removeOrphans(room: Room, { ids, folders }: Orphans): Promise<void> {
  for (const id of ids) {
    const names = room.rows.volumesOf(id);
    room.parts.volumes.unreference(id);
    await room.parts.volumes.removeAnonymous(names);
    await room.parts.layers.remove(id);
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

async function attempt(room: Room, id: string, doing: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const what = id === '' ? doing : `${doing} container ${id}`;
    room.parts.log.warn({ ...(id !== '' && { container: id }), err: error }, `could not ${what}: ${messageOf(error)}`);
  }
}
