import { conflict, GantryError } from '@gantry/sdk';
import { failpoint } from '../../support/index.ts';
import type { Entry } from '../entry.ts';
import type { Room } from '../room.ts';
import { parseSignal } from '../validate/index.ts';
import { cancelRestart } from './restart.ts';
import { sendSignal } from './signal.ts';
import { killProcess, stopSignal } from './stop.ts';

/** Sends a signal; after SIGKILL (the default) waits for the end. `conflict` when the container does not run. */
export async function killContainer(room: Room, reference: string, signalName = 'SIGKILL'): Promise<void> {
  try {
    const entry = room.store.find(reference);
    const signal = parseSignal(signalName || 'SIGKILL');
    if (!entry.isRunning) throw conflict(`container ${entry.id} is not running`);
    await kill(room, entry, signal);
  } catch (error) {
    throw named(error, reference);
  }
}

async function kill(room: Room, entry: Entry, signal: number): Promise<void> {
  // Docker: a signal that is not the configured stop signal leaves the restart policy in force.
  if (!entry.document.config.StopSignal || signal === stopSignal(entry)) entry.exitWanted = true;
  room.store.setState(entry, { stoppedByUser: true });
  failpoint('kill.signal');
  if (entry.phase.kind === 'restarting') {
    using _held = await room.lock(entry);
    return cancelRestart(room, entry);
  }
  if (signal === 9) await killProcess(room, entry);
  else await sendSignal(room, entry, signal);
}

function named(error: unknown, reference: string): unknown {
  if (!GantryError.is(error) || error.code === 'internal') return error;
  return new GantryError(error.code, `cannot kill container: ${reference}: ${error.message}`, { cause: error });
}
