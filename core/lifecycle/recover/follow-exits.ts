import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@gantry/sdk';
import type { ExitEvent } from '@gantry/sdk/exec';
import { endExec } from '../exec/end.ts';
import type { Room } from '../room.ts';
import { containerEnded } from '../stop/exit.ts';

/** Acts on every end that an exec driver tells of, also those that it tells again after it or the engine was started anew. */
export async function followExits(room: Room, name: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const driver = await room.plainDriver(name);
      for await (const event of driver.watch({ after: 0 }, room.context(signal))) void act(room, event, signal);
    } catch (error) {
      if (!signal.aborted) room.parts.log.warn({ err: error }, `lost sight of the ends of processes, looking again: ${messageOf(error)}`);
    }
    if (!signal.aborted) await sleep(1_000, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Tries until it is done: whoever waits for this end would wait for ever. */
async function act(room: Room, event: ExitEvent, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      return await actOnce(room, event);
    } catch (error) {
      if (event.execId === undefined && room.store.has(event.id)) room.store.find(event.id).unrecordedEnd = messageOf(error);
      room.parts.log.error({ container: event.id, err: error }, `cannot act on the end of container ${event.id}: ${messageOf(error)}`);
    }
    await sleep(1_000, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

async function actOnce(room: Room, event: ExitEvent): Promise<void> {
  const exec = event.execId === undefined ? undefined : room.execs.known(event.execId);
  if (exec !== undefined) await endExec(room, exec, event.exitCode);
  else if (event.execId === undefined && room.store.has(event.id)) await containerEnded(room, room.store.find(event.id), event);
}
