import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Database } from '../../../core/metadata/index.ts';
import { PluginHost } from '../../../core/plugin-host/index.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

type Provided = readonly (readonly [name: string, priority: number, usable: boolean])[];

const usual: Provided = [
  ['best', 100, true],
  ['other', 50, true],
  ['broken', 10, false],
];

function hostOf(t: TestContext, drivers: Provided = usual): () => PluginHost {
  const root = mkdtempSync(join(tmpdir(), 'gantry-prefer-'));
  for (const [name, priority, usable] of drivers) {
    const folder = join(root, 'plugins', name);
    mkdirSync(folder, { recursive: true });
    const provides = [{ contract: 'graph', versions: ['v1'], drivers: [name], priority }];
    writeFileSync(
      join(folder, 'gantry-plugin.json'),
      JSON.stringify({ manifestVersion: 1, name, version: '1.0.0', provides, entry: { node: 'main.mjs' } }),
    );
    writeFileSync(
      join(folder, 'main.mjs'),
      `export default { activate: async () => ({ drivers: { graph: { ${name}: { features: [], probe: async () => ({ usable: ${usable}, reason: 'no module' }) } } } }) };`,
    );
  }
  const database = new Database(join(root, 'metadata.db'));
  const hosts: PluginHost[] = [];
  t.after(async () => {
    for (const host of hosts) await host[Symbol.asyncDispose]();
    database[Symbol.dispose]();
    rmSync(root, { recursive: true });
  });
  return () => {
    const host = new PluginHost({
      database,
      log: quietLog,
      dataRoot: join(root, 'data'),
      execRoot: join(root, 'run'),
      pluginDirs: [join(root, 'plugins')],
    });
    hosts.push(host);
    return host;
  };
}

test('PluginHost.prefer() changes the default graph driver without a restart, and the next engine knows it', async (t) => {
  const open = hostOf(t);
  const host = open();
  assert.equal(await host.preferred('graph'), 'best');
  await host.prefer('graph', 'other');
  assert.equal(await host.preferred('graph'), 'other');
  assert.equal(await open().preferred('graph'), 'other');
});

test('PluginHost.prefer() leaves the default when the driver cannot be it', async (t) => {
  const host = hostOf(t)();
  await assert.rejects(host.prefer('graph', 'broken'), {
    code: 'unavailable',
    message: 'graph driver broken does not work here: no module',
  });
  await assert.rejects(host.prefer('graph', 'nothing'), { code: 'not_found' });
  await assert.rejects(host.prefer('volume', 'local'), { code: 'invalid_argument' });
  assert.equal(await host.preferred('graph'), 'best');
});

test('PluginHost.preferred() remembers why better drivers were skipped, and tries them again after a change', async (t) => {
  const host = hostOf(t, [
    ['best', 100, false],
    ['other', 50, true],
    ['last', 10, true],
  ])();
  assert.deepEqual(host.skipped('graph'), []);
  assert.equal(await host.preferred('graph'), 'other');
  assert.deepEqual(host.skipped('graph'), [{ driver: 'best', reason: 'no module' }]);
  await host.prefer('graph', 'last');
  assert.deepEqual(host.skipped('graph'), []);
  assert.equal(await host.preferred('graph'), 'last');
});

test('PluginHost.preferred() says of each driver why it does not work when none does', async (t) => {
  const host = hostOf(t, [
    ['best', 100, false],
    ['other', 50, false],
  ])();
  await assert.rejects(host.preferred('graph'), {
    code: 'unavailable',
    message: 'no graph driver works on this host (best: no module; other: no module)',
  });
});

test('PluginHost.usable() answers a driver that works, and says why another does not', async (t) => {
  const host = hostOf(t)();
  assert.equal(await host.usable('graph', 'other'), 'other');
  await assert.rejects(host.usable('graph', 'broken'), {
    code: 'unavailable',
    message: 'graph driver broken does not work here: no module',
  });
  await assert.rejects(host.usable('graph', 'nobody'), { code: 'not_found' });
});
