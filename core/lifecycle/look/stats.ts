import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stats } from '@gantry/sdk/exec';
import type { StatsReading } from '@gantry/sdk/engine';
import type { Entry } from '../entry.ts';
import type { Room } from '../room.ts';

/** One reading, or a second one a second later; undefined of a container that does not run. Abort: rejects with the signal's reason. */
export async function readStats(
  room: Room,
  entry: Entry,
  { withPrevious, signal }: { readonly withPrevious: boolean; readonly signal?: AbortSignal | undefined },
): Promise<StatsReading | undefined> {
  if (entry.run === undefined) return undefined;
  const first = await reading(room, entry, signal);
  if (!withPrevious) return compose(room, entry, first);
  await sleep(1_000, undefined, { ...(signal && { signal }) });
  if (entry.run === undefined) return undefined;
  return compose(room, entry, await reading(room, entry, signal), first);
}

interface Reading {
  readonly stats: Stats;
  readonly systemCpuNs: number;
}

async function reading(room: Room, entry: Entry, signal?: AbortSignal): Promise<Reading> {
  const driver = await room.driver(entry);
  return { stats: await driver.stats({ id: entry.id }, room.context(signal)), systemCpuNs: systemCpuNs() };
}

function compose(room: Room, { id, name }: Entry, { stats, systemCpuNs: now }: Reading, previous?: Reading): StatsReading {
  return {
    ...stats,
    id,
    name,
    ...(previous && { previous: previous.stats }),
    systemCpuNs: now,
    previousSystemCpuNs: previous?.systemCpuNs ?? 0,
    onlineCpus: cpus().length,
    networks: room.parts.networks.statistics(id),
  };
}

/** The first seven columns of proc_stat(5)'s cpu line, in ticks of 1/100 s. */
function systemCpuNs(): number {
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1);
  const ticks = line.trim().split(/\s+/).slice(1, 8).map(Number);
  return ticks.reduce((sum, value) => sum + value, 0) * 1e7;
}
