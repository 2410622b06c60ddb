import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'idle-'));
after(() => rmSync(folder, { recursive: true }));

test('a plugin with idleStop ends when nobody calls it, not while a stream of it is open, and comes back at the next call', async () => {
  mkdirSync(join(folder, 'idle'));
  const provides = [{ contract: 'volume', versions: ['v1'], drivers: ['idle'] }];
  const manifest = { manifestVersion: 1, name: 'idle', version: '1.0.0', provides, entry: { node: 'main.mjs' }, idleStop: '300ms' };
  writeFileSync(join(folder, 'idle/gantry-plugin.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'idle/main.mjs'), slowList);
  await using under = await EngineUnderTest.open({ pluginDirs: [folder] });
  const { plugins } = under.engine;
  const list = () => plugins.call({ kind: 'volume', driver: 'idle', method: 'list', request: {}, dryRun: true });
  const state = () => plugins.inspect('idle').state;
  // The stream takes longer than the plugin may be idle.
  assert.equal(((await list()) as readonly unknown[]).length, 1);
  assert.equal(plugins.inspect('idle').generation, 1);
  for (let attempt = 0; state() !== 'discovered'; attempt += 1) {
    assert.ok(attempt < 500, `waited for 10 s in vain: ${state()}`);
    await sleep(20);
  }
  assert.equal(((await list()) as readonly unknown[]).length, 1);
  assert.equal(plugins.inspect('idle').generation, 2);
});

const slowList = `
const list = async function* () {
  await new Promise((resolve) => setTimeout(resolve, 900));
  yield { name: 'one', scope: 'local', options: {} };
};
export default { activate: async () => ({ drivers: { volume: { idle: { list } } } }) };
`;
