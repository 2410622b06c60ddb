import { processStartTime } from '@gantry/sdk/linux';
import type { State } from '@gantry/sdk/exec';
import type { Entry } from '../entry.ts';
import { beginHealthchecks } from '../health/begin.ts';
import { loggedContainer } from '../logged.ts';
import { type Run, timestamp } from '../model.ts';
import type { Room } from '../room.ts';
import { volumeNames } from '../start/mounts.ts';
import { createProcess } from '../start/process.ts';
import { rootfsBroke } from '../stop/broken.ts';
import { endLocked, freeResources } from '../stop/exit.ts';
import { scheduleRestart } from '../stop/restart.ts';
import { idMapsOf } from '../user-namespace.ts';

/** Takes over a container that was running, or being started, when the engine ended. The lock is held. */
export async function adopt(room: Room, entry: Entry): Promise<void> {
  entry.exitWanted = entry.state.stoppedByUser;
  const driver = await room.driver(entry);
  const state = await driver.state({ id: entry.id }, room.context());
  const lives = state.status === 'running' || state.status === 'paused';
  if (entry.phase.kind === 'starting' && !lives && state.exitCode === undefined) return await rollBack(room, entry);
  if (!lives || isAnother(entry, state)) return await collectEnd(room, entry, state);
  await takeOver(room, entry, state);
}

/** The pid is somebody else's by now. Not every driver's pids are the kernel's: those have no start time. */
function isAnother({ run }: Entry, { pid }: State): boolean {
  return run !== undefined && (run.pid !== pid || run.pidStartTime !== (processStartTime(pid) ?? 0));
}

async function takeOver(room: Room, entry: Entry, state: State): Promise<void> {
  const { id, name, document } = entry;
  const paused = state.status === 'paused' && !(await resumedAfterCommit(room, entry));
  const run = entry.run ?? (await findRun(room, entry));
  const sandbox = await room.parts.networks.adopt({
    id,
    name,
    config: document.config,
    hostConfig: document.hostConfig,
    networks: document.networks,
  });
  await room.parts.volumes.adopt(id, volumeNames(document.mounts));
  const wasStarting = entry.phase.kind === 'starting';
  room.store.setState(entry, {
    phase: { kind: 'running', run: { ...run, ports: sandbox.ports }, paused },
    ...(wasStarting && { startedAt: timestamp(), restartCount: entry.restartCount }),
    isPausedForCommit: false,
  });
  room.parts.logs.start(loggedContainer(room, entry, run.streams.control));
  beginHealthchecks(room, entry);
  const lost = room.parts.layers.brokenRoot(id);
  if (lost !== undefined) rootfsBroke(room, id, lost);
}

async function resumedAfterCommit(room: Room, entry: Entry): Promise<boolean> {
  if (entry.state.isPausedForCommit !== true) return false;
  await (await room.driver(entry)).pause({ id: entry.id, resume: true }, room.context());
  return true;
}

/** The start got as far as the program, but its record did not: the same create gives the same answer. */
async function findRun(room: Room, entry: Entry): Promise<Run> {
  const kept = new AsyncDisposableStack();
  const process = await createProcess(room, entry, { undo: kept });
  const idMaps = idMapsOf(room, entry);
  return { ...process, rootfs: await room.parts.layers.mount(entry.id), sandboxKey: '', ports: {}, ...(idMaps && { idMaps }) };
}

async function rollBack(room: Room, entry: Entry): Promise<void> {
  await room.parts.networks.teardown(entry.id);
  await freeResources(room, entry);
  const kind = entry.phase.kind === 'starting' ? entry.phase.from : 'exited';
  room.store.setState(entry, { phase: { kind } });
  if (kind === 'restarting') scheduleRestart(room, entry, 0);
}

async function collectEnd(room: Room, entry: Entry, { exitCode = 255, exitedAt = new Date(), oomKilled = false }: State): Promise<void> {
  // What it wrote while nobody watched is delivered by the end's draining.
  room.parts.logs.start(loggedContainer(room, entry));
  room.store.setState(entry, { restartCount: entry.restartCount });
  await endLocked(room, entry, { exitCode, exitedAt, oomKilled });
}
