import { codeOf } from '@gantry/sdk';
import type { Entry } from '../entry.ts';
import type { Room } from '../room.ts';

/** Sends a signal to the container's first process; one that ended meanwhile is no failure. A paused container is resumed to receive it. */
export async function sendSignal(room: Room, entry: Entry, signal: number): Promise<void> {
  const driver = await room.driver(entry);
  try {
    await driver.signal({ id: entry.id, signal }, room.context());
  } catch (error) {
    if (codeOf(error) === 'conflict' || codeOf(error) === 'not_found') return;
    throw error;
  }
  room.announce(entry, 'kill', { signal: String(signal) });
  if (entry.isPaused) await resume(room, entry);
}

async function resume(room: Room, entry: Entry): Promise<void> {
  using _held = await room.lock(entry);
  const { phase } = entry;
  if (phase.kind !== 'running' || !phase.paused) return;
  await (await room.driver(entry)).pause({ id: entry.id, resume: true }, room.context());
  room.store.setState(entry, { phase: { ...phase, paused: false } });
  room.announce(entry, 'unpause');
}
