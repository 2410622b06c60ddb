import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { backEnd } from '../../support/engine/back-end.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { noLeaks } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const examples = join(import.meta.dirname, '../../examples');
const names = ['folders', 'folders-sh', 'mini-bridge', 'overlay-mini'];

test('a container runs on layers, a network and volumes of plugins that a stranger wrote in a few lines, each in a sandbox', async () => {
  await runAll();
  await using _nothingLeft = noLeaks();
  await runAll();
});

test('lines of a container reach an HTTP sink in the network by a plugin in a sandbox', async () => {
  const sunk: { readonly msg: string; readonly c: string }[] = [];
  await using sink = await backEnd(async (_, body) => {
    sunk.push(...body.split('\n').map((line) => JSON.parse(line) as (typeof sunk)[number]));
    return { status: 204 };
  });
  await using under = await EngineUnderTest.open({ pluginDirs: [examples] });
  await under.run('echo one; echo two', {
    hostConfig: { NetworkMode: 'none', LogConfig: { Type: 'http-lines', Config: { url: sink.url } } },
  });
  for (let attempt = 0; sunk.length < 2 && attempt < 200; attempt += 1) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(
    sunk.map(({ msg }) => msg),
    ['one', 'two'],
  );
});

async function runAll(): Promise<void> {
  await using under = await EngineUnderTest.open({ pluginDirs: [examples], storageDriver: 'overlay-mini' });
  const { engine } = under;
  await engine.networks.create({ name: 'net', driver: 'mini-bridge', options: { mtu: '1400' } });
  await engine.volumes.create({ name: 'one', driver: 'folders', options: { colour: 'red' } });
  await engine.volumes.create({ name: 'two', driver: 'folders-sh', options: {} });
  const { exitCode, stdout } = await under.run(
    'echo kept > /one/file; cp /one/file /two/file; cat /two/file; ip link show eth0 | grep -o "mtu [0-9]*"; echo new > /etc/new; exit 3',
    { hostConfig: { NetworkMode: 'net', Binds: ['one:/one', 'two:/two'] } },
  );
  assert.deepEqual([exitCode, stdout], [3, 'kept\nmtu 1400\n']);
  const found = engine.plugins.list().filter(({ name }) => names.includes(name));
  assert.deepEqual(
    found.map(({ name, state, placement }) => [name, state, placement]),
    names.map((name) => [name, 'ready', 'process']),
  );
  await assert.rejects(engine.volumes.create({ name: 'three', driver: 'folders', options: { color: 'red' } }), {
    code: 'invalid_argument',
    message: /"color"/,
  });
  for (const name of ['one', 'two']) await engine.volumes.remove(name, { force: false });
  await engine.networks.remove('net');
}
