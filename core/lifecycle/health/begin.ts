import { messageOf } from '@gantry/sdk';
import type { Entry } from '../entry.ts';
import { createExec } from '../exec/create.ts';
import { startExec } from '../exec/start.ts';
import type { Room } from '../room.ts';
import { startContainer } from '../start/start.ts';
import { restartContainer } from '../stop/stop.ts';
import { onUnhealthy } from '../validate/index.ts';
import { HealthMonitor, healthCommand, type ProbeResult } from './monitor.ts';

const keptOutputBytes = 4_097;

/** Probes the container from now on if its configuration has a test; ends with its process. */
export function beginHealthchecks(room: Room, entry: Entry): void {
  const { Healthcheck, Shell } = entry.document.config;
  const command = Healthcheck ? healthCommand(Healthcheck, Shell ?? ['/bin/sh', '-c']) : undefined;
  entry.health?.[Symbol.dispose]();
  if (!Healthcheck || command === undefined) return;
  entry.health = new HealthMonitor({
    healthcheck: Healthcheck,
    probe: ({ signal }) => probe(room, entry, command, signal),
    onChange: (health, previous) => {
      room.store.setState(entry, { health });
      if (health.status === previous) return;
      room.announce(entry, `health_status: ${health.status}`);
      if (health.status === 'unhealthy' && entry.document.hostConfig.Annotations?.[onUnhealthy] === 'restart') void restart(room, entry);
    },
  });
  room.store.setState(entry, { health: entry.health.health });
}

/** As `docker restart` does. What stops it is told in the log: nobody waits for it. */
async function restart(room: Room, entry: Entry): Promise<void> {
  try {
    await restartContainer(room, entry, {}, () => startContainer(room, entry));
  } catch (error) {
    room.parts.log.warn({ container: entry.id, err: error }, `cannot restart the unhealthy container ${entry.id}: ${messageOf(error)}`);
  }
}

/** One exec whose output is kept as far as anybody looks at it. A probe that takes too long is killed. */
async function probe(room: Room, entry: Entry, cmd: readonly string[], signal: AbortSignal): Promise<ProbeResult> {
  const exec = await createExec(room, entry, { cmd, attachStdout: true, attachStderr: true }, { isProbe: true });
  const { attached } = await startExec(room, exec, { detach: false, signal });
  const kill = () => void killExec(room, entry, exec.id);
  signal.addEventListener('abort', kill);
  try {
    let output = '';
    for await (const { data } of attached?.output ?? []) if (output.length < keptOutputBytes) output += data.toString('utf8');
    const exitCode = await exec.ended.promise;
    signal.throwIfAborted();
    return { exitCode, output };
  } finally {
    signal.removeEventListener('abort', kill);
    await attached?.[Symbol.asyncDispose]();
  }
}

async function killExec(room: Room, entry: Entry, execId: string): Promise<void> {
  const driver = await room.driver(entry);
  await driver.signal({ id: entry.id, execId, signal: 9 }, room.context()).catch(() => undefined);
}
