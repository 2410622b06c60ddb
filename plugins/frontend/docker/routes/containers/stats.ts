import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '@gantry/sdk';
import type { Container, StatsReading } from '@gantry/sdk/engine';
import type { Call } from '../../http/call.ts';
import { idleStats, type PreviousReading, statsDocument } from '../../shapes/stats.ts';
import { get, type Route } from '../route.ts';

export const statsRoutes: readonly Route[] = [get('/containers/:id/stats', stats)];

const intervalMs = 1_000;

async function stats(call: Call): Promise<void> {
  const container = call.engine.containers.inspect(call.param('id'));
  const hostMemoryBytes = (await call.engine.system.info()).memoryBytes;
  if (call.query.flag('stream', true)) return streamed(call, container, hostMemoryBytes);
  const reading = await call.engine.containers.stats(container.id, {
    withPrevious: !(call.version >= 41 && call.query.flag('one-shot')),
    signal: call.signal,
  });
  call.send(documentOf(container, reading, reading && previousOf(reading), hostMemoryBytes));
}

/** One document a second until the client goes or the container is removed. */
async function streamed(call: Call, container: Container, hostMemoryBytes: number): Promise<void> {
  const outgoing = call.stream('application/json');
  const { signal } = call;
  let previous: PreviousReading | undefined;
  try {
    for (;;) {
      const reading = await call.engine.containers.stats(container.id, { withPrevious: false, signal });
      await outgoing.write(`${JSON.stringify(documentOf(container, reading, previous, hostMemoryBytes))}\n`);
      previous = reading && { stats: reading, systemCpuNs: reading.systemCpuNs, onlineCpus: reading.onlineCpus };
      await sleep(intervalMs, undefined, { signal });
    }
  } catch (error) {
    if (!['not_found', 'cancelled'].includes(codeOf(error))) throw error;
    outgoing.end();
  }
}

function documentOf(
  container: Container,
  reading: StatsReading | undefined,
  previous: PreviousReading | undefined,
  hostMemoryBytes: number,
) {
  return reading === undefined ? idleStats(container) : statsDocument(reading, { previous, hostMemoryBytes });
}

function previousOf({ previous, previousSystemCpuNs, onlineCpus }: StatsReading): PreviousReading | undefined {
  return previous && { stats: previous, systemCpuNs: previousSystemCpuNs, onlineCpus };
}
