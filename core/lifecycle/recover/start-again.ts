import { codeOf, firstCause, GantryError, messageOf } from '@gantry/sdk';
import type { Entry } from '../entry.ts';
import type { Room } from '../room.ts';
import { startContainer } from '../start/start.ts';
import { scheduleRestart, willRestart } from '../stop/restart.ts';

/**
 * Starts a container whose policy wants it to run. What it needs may come later than the engine, as a file server after a reboot: then it is
 * tried again as often as the policy says, with growing pauses, and counts as restarting. Whatever else is wrong will be wrong the next time as well.
 */
export async function startAgain(room: Room, entry: Entry): Promise<void> {
  if (entry.phase.kind !== 'exited') return;
  try {
    await startContainer(room, entry);
  } catch (error) {
    if (!mayPass(error) || !(await waitForIt(room, entry))) throw error;
    room.parts.log.warn({ container: entry.id, err: error }, `cannot start container ${entry.id} yet: ${messageOf(error)}`);
  }
}

async function waitForIt(room: Room, entry: Entry): Promise<boolean> {
  using _held = await room.lock(entry);
  if (entry.phase.kind !== 'exited' || !willRestart(entry, entry.state.exitCode)) return false;
  room.store.setState(entry, { phase: { kind: 'restarting' } });
  scheduleRestart(room, entry, 0);
  return true;
}

function mayPass(thrown: unknown): boolean {
  const error = firstCause(thrown);
  if (GantryError.is(error) && error.reason === 'PLUGIN_UNUSABLE') return true;
  return ['unavailable', 'deadline_exceeded', 'aborted'].includes(codeOf(error));
}
