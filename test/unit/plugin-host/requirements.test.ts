import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Database } from '../../../core/metadata/index.ts';
import { PluginHost } from '../../../core/plugin-host/index.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

/** An engine of version 0.4.0 with these plugins; each has a volume driver of its name. */
function hostWith(t: TestContext, manifests: Readonly<Record<string, object>>): PluginHost {
  const root = mkdtempSync(join(tmpdir(), 'gantry-requires-'));
  for (const [name, more] of Object.entries(manifests)) {
    const folder = join(root, 'plugins', name);
    mkdirSync(folder, { recursive: true });
    const provides = [{ contract: 'volume', versions: ['v1'], drivers: [name] }];
    writeFileSync(
      join(folder, 'gantry-plugin.json'),
      JSON.stringify({ manifestVersion: 1, name, version: '1.2.3', provides, entry: { node: 'main.mjs' }, ...more }),
    );
    writeFileSync(join(folder, 'main.mjs'), `export default { activate: async () => ({ drivers: { volume: { ${name}: {} } } }) };`);
  }
  const database = new Database(join(root, 'metadata.db'));
  const host = new PluginHost({
    database,
    log: quietLog,
    version: '0.4.0',
    dataRoot: join(root, 'data'),
    execRoot: join(root, 'run'),
    pluginDirs: [join(root, 'plugins')],
  });
  t.after(async () => {
    await host[Symbol.asyncDispose]();
    database[Symbol.dispose]();
    rmSync(root, { recursive: true });
  });
  return host;
}

test('a plugin’s required plugins are started before it', async (t) => {
  const host = hostWith(t, {
    a: {
      requires: [
        { plugin: 'b', version: '^1' },
        { plugin: 'absent', optional: true },
      ],
    },
    b: {},
  });
  await host.get('volume', 'a');
  assert.deepEqual(
    host.list().map(({ name, state }) => `${name} ${state}`),
    ['a ready', 'b ready'],
  );
});

const refused: readonly (readonly [why: string, manifests: Readonly<Record<string, object>>, message: RegExp, state: string])[] = [
  [
    'the engine is too old',
    { a: { engines: { gantry: '>=0.5 <2' } } },
    /is for engine versions >=0.5 <2; this one is 0.4.0/,
    'incompatible',
  ],
  ['the range is none', { a: { engines: { gantry: 'newest' } } }, /"newest", which is no version range/, 'incompatible'],
  ['a required plugin is missing', { a: { requires: [{ plugin: 'b' }] } }, /plugin a needs plugin b, which is not installed/, 'failed'],
  [
    'a required plugin has another version',
    { a: { requires: [{ plugin: 'b', version: '^2' }] }, b: {} },
    /needs plugin b \^2; version 1.2.3 is installed/,
    'incompatible',
  ],
  [
    'plugins need each other',
    { a: { requires: [{ plugin: 'b' }] }, b: { requires: [{ plugin: 'a' }] } },
    /in a circle: a → b → a/,
    'incompatible',
  ],
];
for (const [why, manifests, message, state] of refused) {
  test(`a plugin does not start when ${why}, and inspect says so`, async (t) => {
    const host = hostWith(t, manifests);
    await assert.rejects(host.get('volume', 'a'), message);
    const info = host.inspect('a');
    assert.equal(info.state, state);
    assert.match(info.error ?? '', message);
  });
}
