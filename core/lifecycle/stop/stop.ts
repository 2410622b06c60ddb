import { internal, notModified } from '@gantry/sdk';
import { failpoint } from '../../support/index.ts';
import type { Entry } from '../entry.ts';
import type { Room } from '../room.ts';
import { parseSignal } from '../validate/index.ts';
import { cancelRestart } from './restart.ts';
import { sendSignal } from './signal.ts';
import { endsWithin } from './wait.ts';

export interface StopOptions {
  readonly timeoutSeconds?: number;
  readonly signal?: string;
}

const defaultTimeoutSeconds = 10;
const killTimeoutMs = 10_000;

/**
 * Ends the container's process by its stop signal, and by SIGKILL when it has not ended in time (-1: never). `not_modified` when it does
 * not run. Resolves when its resources are free again; a client that goes away stops nothing.
 */
export async function stopContainer(room: Room, entry: Entry, options: StopOptions = {}): Promise<void> {
  const signal = stopSignal(entry, options.signal);
  if (!entry.isRunning) throw notModified(`container ${entry.id} is not running`);
  room.store.setState(entry, { stoppedByUser: true });
  entry.exitWanted = true;
  await endProcess(room, entry, signal, stopTimeoutMs(entry, options.timeoutSeconds));
  // Held by whoever frees what the run used.
  using _freed = await room.lock(entry);
  cancelRestart(room, entry);
  room.announce(entry, 'stop');
}

/** Stop and start under one answer; one that does not run is started. */
export async function restartContainer(room: Room, entry: Entry, options: StopOptions, start: () => Promise<void>): Promise<void> {
  if (entry.isRunning) {
    entry.exitWanted = true;
    await endProcess(room, entry, stopSignal(entry, options.signal), stopTimeoutMs(entry, options.timeoutSeconds));
    using _freed = await room.lock(entry);
    cancelRestart(room, entry);
    room.announce(entry, 'stop');
  }
  await start();
  room.announce(entry, 'restart');
}

/** Signal, wait, SIGKILL, wait. */
export async function endProcess(room: Room, entry: Entry, signal: number, waitMs: number): Promise<void> {
  if (entry.phase.kind === 'restarting') {
    using _held = await room.lock(entry);
    return cancelRestart(room, entry);
  }
  failpoint('stop.signal');
  await sendSignal(room, entry, signal);
  failpoint('stop.wait');
  if (await endsWithin(entry, waitMs)) return;
  failpoint('stop.sigkill');
  await killProcess(room, entry);
}

/** SIGKILL and the wait for what it does. */
export async function killProcess(room: Room, entry: Entry): Promise<void> {
  await sendSignal(room, entry, 9);
  if (await endsWithin(entry, killTimeoutMs)) return;
  if (entry.unrecordedEnd !== undefined) {
    throw internal(`container ${entry.id} ended, but that could not be recorded: ${entry.unrecordedEnd}`, {
      hint: 'it is recorded as soon as the disk of the data root can be written again',
    });
  }
  throw internal(`container ${entry.id} did not end within ${killTimeoutMs / 1e3} s of SIGKILL`, {
    hint: 'a process in uninterruptible sleep cannot be killed; look at its kernel stack',
  });
}

export function stopSignal({ document: { config } }: Entry, given?: string): number {
  return parseSignal(given || config.StopSignal || 'SIGTERM');
}

export function stopTimeoutMs({ document: { config } }: Entry, given?: number): number {
  const seconds = given ?? config.StopTimeout ?? defaultTimeoutSeconds;
  return seconds < 0 ? -1 : Math.min(seconds * 1e3, 2 ** 31 - 1);
}
