import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'given-up-'));
after(() => rmSync(folder, { recursive: true }));

/** Cancels what it is doing, as one that is told to end does, and ends; from its second start on it does well. */
const main = `
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cancelled, definePlugin, notFound } from '@gantry/sdk';
export default definePlugin({
  async activate({ dataDir }) {
    const mark = join(dataDir, 'mark');
    const isFirst = !existsSync(mark);
    const made = new Set();
    const stat = async ({ name }) => {
      if (!made.has(name)) throw notFound('no volume ' + name);
      return { volume: { name, scope: 'local', options: {} } };
    };
    const create = async ({ name, options }) => {
      if (isFirst) {
        writeFileSync(mark, '');
        setTimeout(() => process.exit(0), 100);
        throw cancelled('the plugin ends');
      }
      made.add(name);
      return { volume: { name, scope: 'local', options } };
    };
    return { drivers: { volume: { ends: { create, remove: async () => ({}), stat, async *list() {} } } } };
  },
});`;

test('a call that an ending plugin cancelled is made again on its next generation', async () => {
  mkdirSync(join(folder, 'ends'));
  const provides = [{ contract: 'volume', versions: ['v1'], drivers: ['ends'] }];
  const manifest = { manifestVersion: 1, name: 'ends', version: '1.0.0', provides, entry: { node: 'main.mjs' } };
  writeFileSync(join(folder, 'ends/gantry-plugin.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'ends/main.mjs'), main);
  await using under = await EngineUnderTest.open({ pluginDirs: [folder] });
  const { volumes, plugins } = under.engine;
  const made = await volumes.create({ name: 'some', driver: 'ends' });
  assert.equal(made.driver, 'ends');
  assert.equal(plugins.inspect('ends').generation, 2);
  await volumes.remove('some', { force: false });
});
