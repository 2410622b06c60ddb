import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { codeOf, GantryError, type Logger } from '@gantry/sdk';
import { Database } from '../../../core/metadata/index.ts';
import { PluginHost, type PluginHostOptions } from '../../../core/plugin-host/index.ts';

const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

function hostWith(
  t: TestContext,
  plugins: Readonly<Record<string, { readonly manifest: object; readonly main: string }>>,
  options: Pick<PluginHostOptions, 'pluginSettings' | 'kindSettings'> = {},
): PluginHost {
  const root = mkdtempSync(join(tmpdir(), 'gantry-plugins-'));
  for (const [path, { manifest, main }] of Object.entries(plugins)) {
    mkdirSync(join(root, 'plugins', path), { recursive: true });
    writeFileSync(join(root, 'plugins', path, 'gantry-plugin.json'), JSON.stringify(manifest));
    writeFileSync(join(root, 'plugins', path, 'main.ts'), main);
  }
  const database = new Database(join(root, 'metadata.db'));
  const host = new PluginHost({
    database,
    log,
    dataRoot: join(root, 'data'),
    execRoot: join(root, 'run'),
    pluginDirs: [join(root, 'plugins')],
    ...options,
  });
  t.after(async () => {
    await host[Symbol.asyncDispose]();
    database[Symbol.dispose]();
    rmSync(root, { recursive: true });
  });
  return host;
}

const volume = (name: string, drivers: string[], more: object = {}) => ({
  manifestVersion: 1,
  name,
  version: '1.0.0',
  provides: [{ contract: 'volume', versions: ['v1'], drivers, ...more }],
  entry: { node: 'main.ts' },
});
const offering = (...drivers: string[]) =>
  `export default { async activate() { return { drivers: { volume: { ${drivers.map((name) => `'${name}': { async stat() { return { volume: { name: '${name}' } }; } }`).join(', ')} } } }; } };`;

test('PluginHost.get() starts a plugin when its driver is first needed, not before', async (t) => {
  const host = hostWith(t, { 'volume/a': { manifest: volume('acme.a', ['a']), main: offering('a') } });
  assert.equal(host.list()[0]?.state, 'discovered');
  const driver = await host.get('volume', 'a');
  assert.deepEqual(await driver.stat({ name: 'x' }, { signal: AbortSignal.timeout(1_000), log, operationId: 'x' }), {
    volume: { name: 'a' },
  });
  assert.equal(host.list()[0]?.state, 'ready');
});

test('PluginHost gives a plugin the settings of its kinds, and over them those by its name', async (t) => {
  const main = `export default { async activate({ config }) {
    return { drivers: { volume: { a: { async stat() { return { volume: config }; } } } } };
  } };`;
  const host = hostWith(
    t,
    { 'volume/a': { manifest: volume('acme.a', ['a']), main } },
    {
      kindSettings: { volume: { of: 'kind', size: 1 }, exec: { of: 'another kind' } },
      pluginSettings: { 'acme.a': { size: 2 }, 'acme.b': { of: 'another plugin' } },
    },
  );
  const driver = await host.get('volume', 'a');
  assert.deepEqual(await driver.stat({ name: 'x' }, { signal: AbortSignal.timeout(1_000), log, operationId: 'x' }), {
    volume: { of: 'kind', size: 2 },
  });
});

test('PluginHost.get() answers an unknown driver at once and names what is installed', async (t) => {
  const host = hostWith(t, { 'volume/a': { manifest: volume('acme.a', ['a']), main: offering('a') } });
  await assert.rejects(host.get('volume', 'typo'), (error) => {
    assert.ok(GantryError.is(error));
    assert.deepEqual(
      [error.code, error.message, error.hint],
      ['not_found', 'volume driver "typo" not found', 'installed volume drivers: a'],
    );
    return true;
  });
});

test('PluginHost refuses a plugin that offers what its manifest does not name, or less', async (t) => {
  const host = hostWith(t, {
    'volume/more': { manifest: volume('more', ['a']), main: offering('a', 'b') },
    'volume/less': { manifest: volume('less', ['c', 'd']), main: offering('c') },
  });
  await assert.rejects(host.get('volume', 'a'), /offers volume driver b, which its manifest does not name/);
  await assert.rejects(host.get('volume', 'c'), /does not offer volume\/d, which its manifest names/);
  assert.deepEqual(
    host.list().map(({ state }) => state),
    ['quarantined', 'quarantined'],
  );
});

test('PluginHost keeps the others when one manifest is broken, and lists why', (t) => {
  const host = hostWith(t, {
    'volume/bad': { manifest: { name: 'bad' }, main: '' },
    'volume/good': { manifest: volume('good', ['g']), main: offering('g') },
  });
  assert.deepEqual(host.names('volume'), ['g']);
  assert.match(
    host.list().find(({ state }) => state === 'failed')?.error ?? '',
    /gantry-plugin.json: manifest.manifestVersion must be one of 1/,
  );
});

test('PluginHost.preferred() takes the highest priority whose probe succeeds', async (t) => {
  const probing = (usable: boolean, name: string) =>
    `export default { async activate() { return { drivers: { volume: { '${name}': { async probe() { return { usable: ${usable}, reason: 'no kernel module' }; } } } } }; } };`;
  const host = hostWith(t, {
    'volume/best': { manifest: volume('best', ['best'], { priority: 100 }), main: probing(false, 'best') },
    'volume/next': { manifest: volume('next', ['next'], { priority: 50 }), main: probing(true, 'next') },
    'volume/never': { manifest: volume('never', ['never']), main: probing(true, 'never') },
  });
  assert.equal(await host.preferred('volume'), 'next');
  await assert.rejects(host.preferred('log'), (error) => codeOf(error) === 'unavailable');
});
