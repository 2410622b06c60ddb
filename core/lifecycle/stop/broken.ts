import { messageOf } from '@gantry/sdk';
import type { VolumeUsers } from '../../volumes/types.ts';
import type { Entry } from '../entry.ts';
import { hasRestartPolicy } from '../restart-policy.ts';
import type { Room } from '../room.ts';
import { endProcess, killProcess, stopSignal, stopTimeoutMs } from './stop.ts';

/** What volumes ask of this room. */
export function volumeUsers(room: Room): VolumeUsers {
  return {
    volumeBroke(containerIds, { volume, reason }) {
      for (const entry of knownOf(room, containerIds)) {
        room.store.touch(entry);
        if (!hasRestartPolicy(entry.document.hostConfig.RestartPolicy ?? {})) continue;
        void ended(room, entry, `volume ${volume}: ${reason}`, () => endProcess(room, entry, stopSignal(entry), stopTimeoutMs(entry)));
      }
    },
  };
}

/** A container whose root is gone can do nothing any more, not even end well. */
export function rootfsBroke(room: Room, containerId: string, reason: string): void {
  for (const entry of knownOf(room, [containerId])) void ended(room, entry, `root file system: ${reason}`, () => killProcess(room, entry));
}

function knownOf(room: Room, ids: readonly string[]): readonly Entry[] {
  return ids.filter((id) => room.store.has(id)).map((id) => room.store.find(id));
}

/** Ends a run that has lost what it works on; for the restart policy that is a failure, however the process takes it. */
async function ended(room: Room, entry: Entry, what: string, end: () => Promise<void>): Promise<void> {
  if (entry.run === undefined) return;
  entry.hasFailed = true;
  room.parts.log.warn({ container: entry.id }, `container ${entry.id} is ended, since it lost its ${what}`);
  try {
    await end();
  } catch (error) {
    room.parts.log.warn(
      { container: entry.id, err: error },
      `container ${entry.id} lost its ${what}, and does not end: ${messageOf(error)}`,
    );
  }
}
