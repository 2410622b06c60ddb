import { messageOf } from '@gantry/sdk';
import type { Entry } from '../entry.ts';
import { nextRestartDelay, wantsRestart } from '../restart-policy.ts';
import type { Room } from '../room.ts';
import { startLocked } from '../start/start.ts';

/** Whether the policy starts the container again after this end. */
export function willRestart(entry: Entry, exitCode: number): boolean {
  const { state, document, exitWanted, hasFailed } = entry;
  if (exitWanted) return false;
  const seenCode = hasFailed && exitCode === 0 ? 255 : exitCode;
  return wantsRestart(document.hostConfig.RestartPolicy ?? {}, {
    exitCode: seenCode,
    restartCount: state.restartCount,
    stoppedByUser: false,
  });
}

/** Starts the container again after a delay that grows while its runs are short. */
export function scheduleRestart(room: Room, entry: Entry, ranForMs: number): void {
  entry.restartDelayMs = nextRestartDelay(entry.restartDelayMs, ranForMs);
  entry.restartTimer = setTimeout(() => void restartNow(room, entry), entry.restartDelayMs);
  entry.restartTimer.unref();
}

/** A user wants no restart: the container counts as ended at once. For who holds the lock. */
export function cancelRestart(room: Room, entry: Entry): void {
  clearTimeout(entry.restartTimer);
  entry.restartTimer = undefined;
  if (entry.phase.kind === 'restarting') room.store.setState(entry, { phase: { kind: 'exited' } });
}

async function restartNow(room: Room, entry: Entry): Promise<void> {
  using _held = await room.lock(entry);
  if (entry.phase.kind !== 'restarting') return;
  try {
    await startLocked(room, entry);
  } catch (error) {
    room.parts.log.warn({ container: entry.id, err: error }, `cannot restart container ${entry.id}: ${messageOf(error)}`);
    if (willRestart(entry, entry.state.exitCode)) scheduleRestart(room, entry, 0);
    else cancelRestart(room, entry);
  }
}
