import type { Api } from '../support/api.ts';
import { download } from './bulk.ts';
import type { Bench, Measured, Scenario } from './scenarios.ts';
import { sample } from './statistics.ts';

/** What a container prints: written, read back whole, and its end. */
export const logScenarios: Readonly<Record<string, Scenario>> = {
  'logs-write': { unit: 'ms', target: { atMost: 5 }, measure: write },
  // A million lines in 0.8 s, where cat takes 50 ms.
  'logs-read': { unit: 'ms', target: { atMost: 16 }, measure: read },
  // However much was written before.
  'logs-tail': { unit: 'ms', target: { atMost: 3 }, measure: tail },
};

const lines = 1_000_000;
const script = `yes 'a line of what a container prints, as long as such lines are' | head -n ${lines}`;

/** From its start until the engine has all of it; the floor is the runtime alone, writing into a file. */
async function write({ engine: { api }, floors, samples }: Bench): Promise<Measured> {
  const values = await sample(samples(5), () => withLines(api, async (id) => void (await lastLine(api, id))), 1);
  return { floors: floors.output(script, samples(5)), values };
}

/** The floor is `cat` of the file that json-file keeps. */
async function read({ engine: { api }, floors, samples }: Bench): Promise<Measured> {
  return withLines(api, async (id) => {
    const { LogPath: path } = await api.json<{ readonly LogPath: string }>('GET', `/containers/${id}/json`);
    const values = await sample(samples(9), () => download(api.socketPath, `/containers/${id}/logs?stdout=1`), 1);
    const floor = floors.read(path, samples(9));
    return { floors: floor, values, note: `${((lines / (values[0] ?? 1)) * 1e-3).toFixed(1)} million lines/s` };
  });
}

async function tail({ engine: { api }, samples }: Bench): Promise<Measured> {
  return withLines(api, async (id) => ({ values: await sample(samples(50), () => lastLine(api, id, 10)) }));
}

async function lastLine(api: Api, id: string, count = 1): Promise<string> {
  const { body } = await api.call('GET', `/containers/${id}/logs?stdout=1&tail=${count}`);
  if (!body.endsWith('such lines are\n')) throw new Error(`the log ends with ${JSON.stringify(body.slice(-80))}`);
  return body;
}

/** A container that has written them all, until the work is done. */
async function withLines<T>(api: Api, work: (id: string) => Promise<T>): Promise<T> {
  const json = {
    Image: 'busybox',
    Cmd: ['sh', '-c', script],
    HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'json-file', Config: {} } },
  };
  const { Id: id } = await api.json<{ readonly Id: string }>('POST', '/containers/create', { json });
  try {
    await api.json('POST', `/containers/${id}/start`);
    await api.json('POST', `/containers/${id}/wait`);
    return await work(id);
  } finally {
    await api.call('DELETE', `/containers/${id}?force=1`);
  }
}
