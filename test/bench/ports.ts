import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { boundSocketIn, openNetns } from '@gantry/sdk/linux';
import type { Api } from '../support/clients/api.ts';
import type { Bench, Measured, Scenario } from './scenarios.ts';

/** What a port that is published on loopback costs, beside the container's own address, both asked from the machine. */
export const portScenarios: Readonly<Record<string, Scenario>> = {
  // 0.95 times the throughput of a direct connection.
  'port-throughput': { unit: 'ms', target: { atMost: 1 / 0.95 }, measure: throughput },
  'port-latency': { unit: 'ms', target: { atMost: 0.1 }, measure: latency },
};

interface Place {
  readonly host: string;
  readonly port: number;
}

const sentBytes = 512 * 1024 * 1024;
const chunk = Buffer.alloc(1024 * 1024);

/** Half a gigabyte from the container to the machine; the floor is the same from its own address, in turns. */
async function throughput({ engine: { api }, samples }: Bench): Promise<Measured> {
  return withServer(api, send, async ({ direct, published }) => {
    const [values, floors]: [number[], number[]] = [[], []];
    for (let round = -1; round < samples(7); round += 1) {
      const spent = [await receive(published), await receive(direct)] as const;
      if (round < 0) continue;
      values.push(spent[0]);
      floors.push(spent[1]);
    }
    return { floors, values, note: `${(sentBytes / 1e6 / (values[0] ?? 1)).toFixed(1)} GB/s` };
  });
}

/** What connecting and being answered takes longer than directly, in turns. */
async function latency({ engine: { api }, samples }: Bench): Promise<Measured> {
  return withServer(api, greet, async ({ direct, published }) => {
    const values: number[] = [];
    const bare: number[] = [];
    for (let round = -20; round < samples(300); round += 1) {
      const without = await answered(direct);
      const difference = (await answered(published)) - without;
      if (round < 0) continue;
      values.push(difference);
      bare.push(without);
    }
    return { values, note: `directly ${(bare.toSorted((a, b) => a - b)[bare.length >> 1] ?? 0).toFixed(2)} ms` };
  });
}

type Serve = (server: Server) => void;

/** A server in a container's namespace, by this process: it costs the same whichever way its clients come. */
async function withServer<T>(
  api: Api,
  serve: Serve,
  work: (places: { readonly direct: Place; readonly published: Place }) => Promise<T>,
): Promise<T> {
  const PortBindings = { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '21080' }] };
  const { Id: id } = await api.json<{ readonly Id: string }>('POST', '/containers/create', {
    json: { Image: 'busybox', Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: 'bridge', PortBindings } },
  });
  try {
    await api.json('POST', `/containers/${id}/start`);
    const { NetworkSettings } = await api.json<Inspected>('GET', `/containers/${id}/json`);
    const [network] = Object.values(NetworkSettings.Networks);
    const server = createServer({ noDelay: true });
    serve(server);
    const netns = openNetns(NetworkSettings.SandboxKey);
    const fd = boundSocketIn(netns, { kind: 'tcp', ip: '0.0.0.0', port: 80 });
    closeSync(netns);
    server.listen({ fd });
    await once(server, 'listening');
    try {
      return await work({ direct: { host: network?.IPAddress ?? '', port: 80 }, published: { host: '127.0.0.1', port: 21_080 } });
    } finally {
      server.close();
    }
  } finally {
    await api.call('DELETE', `/containers/${id}?force=1`);
  }
}

interface Inspected {
  readonly NetworkSettings: {
    readonly SandboxKey: string;
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>>;
  };
}

function send(server: Server): void {
  server.on('connection', (socket) => {
    let left = sentBytes;
    const more = (): void => {
      while (left > 0) {
        left -= chunk.length;
        if (!socket.write(chunk)) return void socket.once('drain', more);
      }
      socket.end();
    };
    socket.on('error', () => undefined);
    more();
  });
}

function greet(server: Server): void {
  server.on('connection', (socket) => socket.on('error', () => undefined).end('hello'));
}

async function receive(place: Place): Promise<number> {
  const began = performance.now();
  let bytes = 0;
  const onread = { buffer: Buffer.allocUnsafeSlow(chunk.length), callback: (size: number) => (bytes += size) > 0 };
  await once(connect({ ...place, onread }), 'close');
  if (bytes !== sentBytes) throw new Error(`${bytes} of ${sentBytes} bytes came`);
  return performance.now() - began;
}

async function answered(place: Place): Promise<number> {
  const began = performance.now();
  const socket = connect({ ...place, noDelay: true });
  const [greeting] = (await once(socket, 'data')) as [Buffer];
  const spentMs = performance.now() - began;
  if (String(greeting) !== 'hello') throw new Error(`it said ${String(greeting)}`);
  await once(socket, 'close');
  return spentMs;
}
