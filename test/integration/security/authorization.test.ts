import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createEngine } from '../../../core/index.ts';
import { DockerApi } from '../../support/clients/docker-api.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

const manifest = {
  manifestVersion: 1,
  name: 'test.readonly',
  version: '1.0.0',
  provides: [{ contract: 'authz', versions: ['v1'], drivers: ['readonly'] }],
  entry: { node: 'main.mjs' },
  placement: ['in-process'],
};
const code = `
const answer = (allow) => ({ allow, message: allow ? '' : 'look, do not touch' });
const driver = {
  authorizeRequest: async ({ method }) => answer(method === 'GET' || method === 'HEAD'),
  authorizeResponse: async () => answer(true),
};
export default { activate: async () => ({ drivers: { authz: { readonly: driver } } }) };
`;

test('an engine whose settings name an authz driver asks it for every request, and carries out nothing when there is no such driver', async () => {
  const root = mkdtempSync(join(tmpdir(), 'authz-'));
  const plugin = join(root, 'plugins', 'readonly');
  mkdirSync(plugin, { recursive: true });
  writeFileSync(join(plugin, 'gantry-plugin.json'), JSON.stringify(manifest));
  writeFileSync(join(plugin, 'main.mjs'), code);
  const create = { body: { Name: 'vol' } };
  assert.deepEqual(await answers(root, ['readonly'], create), [
    [200, true],
    [403, '{"message":"authorization denied by plugin readonly: look, do not touch"}\n'],
  ]);
  const [list, made] = await answers(root, ['readonly', 'missing'], create);
  assert.deepEqual([list?.[0], made?.[0]], [500, 403]);
  assert.deepEqual(await answers(root, [], create), [
    [200, true],
    [201, true],
  ]);
  rmSync(root, { recursive: true });
});

/** What an engine with this chain says to a list of volumes and to a new one. */
async function answers(root: string, authorizationPlugins: readonly string[], create: { readonly body: object }) {
  const roots = { dataRoot: join(root, 'data'), execRoot: join(root, 'run') };
  await using engine = await createEngine({ ...roots, pluginDirs: [join(root, 'plugins')], authorizationPlugins });
  const socket = join(root, 'api.sock');
  await using _serving = await engine.serve({ hosts: [`unix://${socket}`] });
  const api = new DockerApi(socket);
  const list = await api.request('GET /v1.51/volumes');
  const made = await api.request('POST /v1.51/volumes/create', create);
  return [list, made].map(({ status, text }) => [status, status < 400 ? text.startsWith('{') : text] as const);
}
