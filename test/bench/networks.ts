import { createSocket } from 'node:dgram';
import { closeSync } from 'node:fs';
import { boundSocketIn, openNetns } from '@gantry/sdk/linux';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../support/clients/api.ts';
import type { Bench, Measured, Scenario } from './scenarios.ts';

/** What networks cost at the API, beside a running container. */
export const networkScenarios: Readonly<Record<string, Scenario>> = {
  'network-create': { unit: 'ms', target: { atMost: 5 }, measure: (bench) => lifeOf(bench, 'create') },
  'network-connect': { unit: 'ms', target: { atMost: 5 }, measure: (bench) => lifeOf(bench, 'connect') },
  'network-disconnect': { unit: 'ms', target: { atMost: 5 }, measure: (bench) => lifeOf(bench, 'disconnect') },
  'network-remove': { unit: 'ms', target: { atMost: 5 }, measure: (bench) => lifeOf(bench, 'remove') },
  'publish-100': { unit: 'ms', target: { atMost: 5 }, measure: publish },
  dns: { unit: 'req/s', target: { atLeast: 10_000 }, measure: names },
};

type Step = 'create' | 'connect' | 'disconnect' | 'remove';

/** A network's whole life, of which one step counts. The kernel goes on with a link for some 30 ms after it is gone: nobody else's step waits for that. */
async function lifeOf({ engine: { api }, samples }: Bench, counted: Step): Promise<Measured> {
  const Container = await run(api, 'bridge');
  const steps: Readonly<Record<Step, (name: string) => Promise<unknown>>> = {
    create: (Name) => api.json('POST', '/networks/create', { json: { Name } }),
    connect: (name) => api.call('POST', `/networks/${name}/connect`, { json: { Container } }),
    disconnect: (name) => api.call('POST', `/networks/${name}/disconnect`, { json: { Container } }),
    remove: (name) => api.call('DELETE', `/networks/${name}`),
  };
  const values: number[] = [];
  for (let round = -3; round < samples(30); round += 1) {
    for (const [step, work] of Object.entries(steps)) {
      const began = performance.now();
      await work(`gantry-bench-${round + 3}`);
      if (step === counted && round >= 0) values.push(performance.now() - began);
      await sleep(60);
    }
  }
  await api.call('DELETE', `/containers/${Container}?force=1`);
  return { values };
}

/** What a hundred published ports add to a start; in pairs, since the machine's pace changes. */
async function publish({ engine: { api }, samples }: Bench): Promise<Measured> {
  const ports = Array.from({ length: 100 }, (_, index) => [`${1_000 + index}/tcp`, [{ HostPort: String(21_000 + index) }]] as const);
  const values: number[] = [];
  const bare: number[] = [];
  for (let round = -2; round < samples(20); round += 1) {
    const without = await startMs(api, {});
    const difference = (await startMs(api, Object.fromEntries(ports))) - without;
    if (round < 0) continue;
    values.push(difference);
    bare.push(without);
  }
  return { values, note: `a start without them ${(bare.toSorted((a, b) => a - b)[bare.length >> 1] ?? 0).toFixed(1)} ms` };
}

/** Names of the same network, asked by 64 askers at once in a container. */
async function names({ engine: { api }, samples }: Bench): Promise<Measured> {
  await api.json('POST', '/networks/create', { json: { Name: 'gantry-bench-names' } });
  const id = await run(api, 'gantry-bench-names');
  const values: number[] = [];
  for (let round = 0; round < samples(3); round += 1) values.push(await askFor(await sandboxOf(api, id), id.slice(0, 12), 2_000));
  await api.call('DELETE', `/containers/${id}?force=1`);
  await api.call('DELETE', '/networks/gantry-bench-names');
  return { values };
}

async function askFor(sandbox: string, name: string, durationMs: number): Promise<number> {
  const netns = openNetns(sandbox);
  const socket = createSocket('udp4');
  const fd = boundSocketIn(netns, { kind: 'udp', ip: '127.0.0.1', port: 0 });
  closeSync(netns);
  await new Promise<void>((resolve) => socket.bind({ fd }, resolve));
  const question = Buffer.from(
    `000701000001000000000000${Buffer.from([name.length]).toString('hex')}${Buffer.from(name).toString('hex')}0000010001`,
    'hex',
  );
  const began = performance.now();
  let answers = 0;
  const ask = (): void => {
    if (performance.now() - began < durationMs) socket.send(question, 53, '127.0.0.11');
  };
  socket.on('message', (answer) => {
    if (answer.readUInt16BE(6) !== 1) throw new Error(`${name} was not answered`);
    answers += 1;
    ask();
  });
  for (let asker = 0; asker < 64; asker += 1) ask();
  await sleep(durationMs + 200);
  socket.close();
  return (answers * 1_000) / durationMs;
}

async function startMs(api: Api, PortBindings: object): Promise<number> {
  const { Id } = await api.json<{ readonly Id: string }>('POST', '/containers/create', {
    json: { Image: 'busybox', Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: 'bridge', PortBindings } },
  });
  const began = performance.now();
  await api.call('POST', `/containers/${Id}/start`);
  const spentMs = performance.now() - began;
  await api.call('DELETE', `/containers/${Id}?force=1`);
  return spentMs;
}

async function run(api: Api, NetworkMode: string): Promise<string> {
  const { Id } = await api.json<{ readonly Id: string }>('POST', '/containers/create', {
    json: { Image: 'busybox', Cmd: ['sleep', '1000'], HostConfig: { NetworkMode } },
  });
  await api.call('POST', `/containers/${Id}/start`);
  return Id;
}

async function sandboxOf(api: Api, id: string): Promise<string> {
  const { NetworkSettings } = await api.json<{ readonly NetworkSettings: { readonly SandboxKey: string } }>(
    'GET',
    `/containers/${id}/json`,
  );
  return NetworkSettings.SandboxKey;
}
