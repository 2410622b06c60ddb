import { readFileSync } from 'node:fs';
import type { Api } from '../support/clients/api.ts';
import { writeScript } from './logs.ts';
import type { Bench, Measured, Scenario } from './scenarios.ts';
import { sample, summarise } from './statistics.ts';

/** Where the time of a million lines goes: what of it is the monitor's, which no engine is part of, and what the engine's. */
export const logCostScenarios: Readonly<Record<string, Scenario>> = {
  // The monitor alone against the runtime alone.
  'logs-monitor': { unit: 'ms', target: { atMost: 3 }, measure: monitor },
  // A container of the engine's against the monitor alone.
  'logs-over-monitor': { unit: 'ms', target: { atMost: 1.1 }, measure: overMonitor },
  // Time on the processor that the engine spends on them, until its driver has them all.
  'logs-cpu-json-file': { unit: 'ms', target: { atMost: 1_500 }, measure: (bench) => processor(bench, 'json-file') },
  'logs-cpu-local': { unit: 'ms', target: { atMost: 1_500 }, measure: (bench) => processor(bench, 'local') },
  'logs-cpu-none': { unit: 'ms', target: { atMost: 700 }, measure: (bench) => processor(bench, 'none') },
};

async function monitor({ floors, samples }: Bench): Promise<Measured> {
  const count = samples(7);
  return { values: floors.monitored(writeScript, count), floors: floors.output(writeScript, count) };
}

async function overMonitor({ engine: { api }, floors, samples }: Bench): Promise<Measured> {
  const values: number[] = [];
  await sample(samples(7), async () => values.push(await writeWith(api, 'json-file')), 1);
  return { values: values.slice(1), floors: floors.monitored(writeScript, samples(7)) };
}

async function processor({ engine: { api, pid }, samples }: Bench, driver: string): Promise<Measured> {
  if (pid === undefined) return { values: [], note: 'it was not started here' };
  const spent: number[] = [];
  const values: number[] = [];
  for (let round = -1; round < samples(5); round += 1) {
    const before = processorMs(pid);
    const wroteMs = await writeWith(api, driver);
    if (round < 0) continue;
    values.push(processorMs(pid) - before);
    spent.push(wroteMs);
  }
  return { values, note: `written in ${summarise(spent).median.toFixed(0)} ms` };
}

/** How long a container of this driver's writes; when it answers, the driver has all of it. */
async function writeWith(api: Api, driver: string): Promise<number> {
  const HostConfig = { NetworkMode: 'none', LogConfig: { Type: driver, Config: {} } };
  const json = { Image: 'busybox', Cmd: ['sh', '-c', writeScript], HostConfig };
  const { Id: id } = await api.json<{ readonly Id: string }>('POST', '/containers/create', { json });
  const began = performance.now();
  await api.json('POST', `/containers/${id}/start`);
  await api.json('POST', `/containers/${id}/wait`);
  const wroteMs = performance.now() - began;
  if (driver !== 'none') await api.call('GET', `/containers/${id}/logs?stdout=1&tail=1`);
  await api.call('DELETE', `/containers/${id}?force=1`);
  return wroteMs;
}

/** Of all its threads: proc_pid_stat(5), in hundredths of a second. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
