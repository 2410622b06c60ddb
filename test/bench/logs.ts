import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../support/clients/api.ts';
import { download } from './bulk.ts';
import type { Bench, Measured, Scenario } from './scenarios.ts';
import { sample } from './statistics.ts';

/** What a container prints: written, read back whole, and its end. */
export const logScenarios: Readonly<Record<string, Scenario>> = {
  'logs-write': { unit: 'ms', target: { atMost: 5 }, measure: write },
  // A million lines in 0.8 s, where cat takes 50 ms.
  'logs-read': { unit: 'ms', target: { atMost: 16 }, measure: read },
  // However much was written before.
  'logs-follow': { unit: 'ms', target: { atMost: 50 }, measure: follow },
  // A container that writes while nobody of a hundred who follow it reads, against one that nobody follows.
  'logs-followers': { unit: 'ms', target: { atMost: 1.1 }, measure: followers },
  'logs-tail': { unit: 'ms', target: { atMost: 3 }, measure: tail },
};

const lines = 1_000_000;
/** What a container runs that writes them. */
export const writeScript = `yes 'a line of what a container prints, as long as such lines are' | head -n ${lines}`;

/** From its start until the engine has all of it; the floor is the runtime alone, writing into a file. */
async function write({ engine: { api }, floors, samples }: Bench): Promise<Measured> {
  const values = await sample(samples(5), () => withLines(api, async (id) => void (await lastLine(api, id))), 1);
  return { floors: floors.output(writeScript, samples(5)), values };
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

/** From a line's being printed until a follower has it: `cat` prints what comes out of a pipe of the machine's. */
async function follow({ engine: { api }, folder, samples }: Bench): Promise<Measured> {
  const place = folder('follow');
  execFileSync('mkfifo', [join(place, 'lines')]);
  const json = {
    Image: 'busybox',
    Cmd: ['cat', '/v/lines'],
    HostConfig: { NetworkMode: 'none', Binds: [`${place}:/v`], LogConfig: { Type: 'json-file', Config: {} } },
  };
  const { Id: id } = await api.json<{ readonly Id: string }>('POST', '/containers/create', { json });
  await api.json('POST', `/containers/${id}/start`);
  const pipe = await open(join(place, 'lines'), 'w');
  const answer = await api.open('GET', `/containers/${id}/logs?stdout=1&follow=1`);
  let [seen, came] = ['', () => {}];
  answer.on('data', (data: Buffer) => {
    seen += data.toString('latin1');
    came();
  });
  const values = await sample(samples(60), async () => {
    const line = randomUUID();
    // Output comes when it comes: not always at the same moment of whoever looks for it.
    const began = performance.now();
    await pipe.write(`${line}\n`);
    while (!seen.includes(line)) await new Promise<void>((resolve) => (came = resolve));
    const spentMs = performance.now() - began;
    await sleep(spentMs % 37);
  });
  answer.destroy();
  await pipe.close();
  await api.call('DELETE', `/containers/${id}?force=1`);
  return { values };
}

async function followers({ engine: { api }, samples }: Bench): Promise<Measured> {
  const [values, floors]: [number[], number[]] = [[], []];
  for (let round = 0; round < samples(5); round += 1) {
    floors.push(await writingMs(api, 0));
    values.push(await writingMs(api, 100));
  }
  return { values, floors };
}

/** How long a container writes a million lines, from its start to its end, with so many who follow and do not read. */
async function writingMs(api: Api, count: number): Promise<number> {
  const json = {
    Image: 'busybox',
    Cmd: ['sh', '-c', writeScript],
    HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'json-file', Config: {} } },
  };
  const { Id: id } = await api.json<{ readonly Id: string }>('POST', '/containers/create', { json });
  const sockets = await Promise.all(Array.from({ length: count }, () => silentFollower(api, id)));
  const began = performance.now();
  await api.json('POST', `/containers/${id}/start`);
  await api.json('POST', `/containers/${id}/wait`);
  const spentMs = performance.now() - began;
  for (const socket of sockets) socket.destroy();
  await api.call('DELETE', `/containers/${id}?force=1`);
  return spentMs;
}

async function silentFollower({ socketPath }: Api, id: string): Promise<Socket> {
  const socket = connect(socketPath);
  socket.on('error', () => undefined);
  socket.write(`GET /containers/${id}/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: bench\r\n\r\n`);
  await once(socket, 'readable');
  return socket;
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
    Cmd: ['sh', '-c', writeScript],
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
