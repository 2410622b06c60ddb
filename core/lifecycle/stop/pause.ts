import { conflict } from '@gantry/sdk';
import type { Entry } from '../entry.ts';
import type { Room } from '../room.ts';

/** Freezes every process of the container. `conflict` when it does not run or is frozen already. */
export async function pauseContainer(room: Room, entry: Entry): Promise<void> {
  using _held = await room.lock(entry);
  const { phase, id } = entry;
  if (phase.kind === 'restarting') throw conflict(`container ${id} is restarting, wait until the container is running`);
  if (phase.kind !== 'running') throw conflict(`container ${id} is not running`);
  if (phase.paused) throw conflict(`container ${id} is already paused`);
  await (await room.driver(entry)).pause({ id, resume: false }, room.context());
  room.store.setState(entry, { phase: { ...phase, paused: true } });
  room.announce(entry, 'pause');
}

export async function unpauseContainer(room: Room, entry: Entry): Promise<void> {
  using _held = await room.lock(entry);
  const { phase, id } = entry;
  if (phase.kind !== 'running' || !phase.paused) throw conflict(`Container ${id} is not paused`);
  await (await room.driver(entry)).pause({ id, resume: true }, room.context());
  room.store.setState(entry, { phase: { ...phase, paused: false } });
  room.announce(entry, 'unpause');
}
