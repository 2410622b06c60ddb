/**
 * A plugin that brings its own server and answers what no SDK would: `raw.json` beside it says what. Its module never finishes loading, so
 * the SDK's server never starts.
 */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { notFound } from '@gantry/sdk';
import { Dispatcher, encode, type Handler, type PluginService, serveGrpc } from '@gantry/sdk/rpc';
import { silent } from './silent.ts';
import type { Raw } from './raw-fault.ts';

const {
  driver,
  handshake = {},
  answers = {},
  offers = {},
  line = {},
  services = ['plugin', 'volume'],
  repeats = false,
} = JSON.parse(readFileSync(join(import.meta.dirname, 'raw.json'), 'utf8')) as Raw;
const { GANTRY_PLUGIN_ENDPOINT: endpoint = '', GANTRY_PLUGIN_TOKEN: token = '' } = process.env;

const service: Pick<PluginService, 'handshake' | 'configure' | 'ping'> = {
  handshake: async ({ challenge }) => ({
    name: driver,
    version: '1.0.0',
    sdk: 'none',
    contracts: [{ contract: 'volume', version: 'v1' }],
    proof: createHmac('sha256', handshake.token ?? token)
      .update(challenge)
      .digest(),
    maxConcurrency: 0,
    stateVersion: 0,
    ...handshake,
  }),
  configure: async () => ({
    problems: [],
    drivers: [{ contract: 'volume', driver, methods: ['create', 'remove', 'stat', 'list', 'attach', 'detach'], properties: {} }],
    needsRestart: false,
    ...offers,
  }),
  ping: async () => {},
};
const right: Handler = new Dispatcher({
  find: (name) => (name === 'plugin' ? service : undefined),
  ctx: (facts) => ({ ...facts, log: silent }),
});
const volume = (name: string) => ({ name, scope: 'local', options: {} });
const wellBehaved: Readonly<Record<string, () => Uint8Array>> = {
  create: () => encode('gantry.volume.v1.VolumeAnswer', { volume: volume('raw') }),
  stat: () => {
    throw notFound('no such volume');
  },
  attach: () => encode('gantry.volume.v1.AttachResponse', { attachment: { mounts: [{ type: 'tmpfs', source: { opaque: 'tmpfs' } }] } }),
};
const bytesOf = (method: string): Uint8Array => {
  const given = answers[method];
  if (given === undefined) return wellBehaved[method]?.() ?? Buffer.alloc(0);
  return 'base64' in given ? Buffer.from(given.base64, 'base64') : Buffer.alloc(given.zeros);
};

await serveGrpc(endpoint.replace('unix://', ''), services, {
  unary: async (name, request, facts) => (name.service === 'plugin' ? right.unary(name, request, facts) : bytesOf(name.method)),
  stream: async function* (name, requests, facts) {
    if (name.service === 'plugin') yield* right.stream(name, requests, facts);
    else if (name.method in answers) yield bytesOf(name.method);
  },
});
for (let time = 0; time < (repeats ? 2 : 1); time += 1)
  console.log(`GANTRY-PLUGIN 1 ${JSON.stringify({ endpoint, name: driver, version: '1.0.0', pid: process.pid, ...line })}`);
process.stdin.resume().once('close', () => process.exit(0));
await new Promise(() => {});
