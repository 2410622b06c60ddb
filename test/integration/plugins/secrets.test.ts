import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { messageOf } from '@gantry/sdk';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
const found = join(folder, 'found');
let under: EngineUnderTest;
before(async () => {
  make('found', found);
  under = await EngineUnderTest.open({
    pluginDirs: [join(folder, 'found')],
    pluginSettings: { found: { token: 'from-daemon-json', where: 'here' } },
  });
});
after(async () => {
  await under[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** A folder in `parent` with a volume plugin that tells its secret to everybody, in all the ways that it has. */
function make(
  name: string,
  parent: string,
  { version = '1.0.0', secrets = ['token'] }: { readonly version?: string; readonly secrets?: readonly string[] } = {},
): string {
  const dir = join(parent, `${name}-${version}`);
  mkdirSync(dir, { recursive: true });
  const property = (key: string) => ({ type: 'string', ...(secrets.includes(key) ? { 'x-secret': true } : {}) });
  const manifest = {
    manifestVersion: 1,
    name,
    version,
    provides: [{ contract: 'volume', versions: ['v1'], drivers: [name] }],
    entry: { node: 'main.mjs' },
    settings: { type: 'object', properties: { token: property('token'), where: property('where') }, additionalProperties: false },
  };
  writeFileSync(join(dir, 'gantry-plugin.json'), JSON.stringify(manifest));
  writeFileSync(
    join(dir, 'main.mjs'),
    `export default { activate: async ({ secrets }) => {
      console.log('the token is ' + secrets.token);
      if (secrets.token === 'fails-to-start') throw new Error('refused ' + secrets.token);
      const create = async ({ name }) => {
        if (name === 'strike') return { volume: { name: 'token=' + secrets.token } };
        throw new Error('no entry with ' + secrets.token);
      };
      return { drivers: { volume: { ${name}: { create, remove: async () => ({}), async *list() { throw new Error('list: ' + secrets.token); } } } },
        configure: async (_config, secrets) => [{ path: 'token', message: 'bad token ' + secrets.token, fatal: secrets.token === 'refused-live' }] };
    } };`,
  );
  return dir;
}

/** The bytes of the records' files hold the text. */
function isStored(text: string): boolean {
  const data = join(under.folder, 'data');
  return readdirSync(data).some((name) => name.startsWith('metadata.db') && readFileSync(join(data, name)).includes(text));
}

async function said(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => assert.fail('it should fail'),
    (reason: unknown) => reason,
  );
  return JSON.stringify([messageOf(error), error, error instanceof Error ? String(error.cause) : '']);
}

/** All that users see of plugins, in JSON. */
async function seen(name: string): Promise<string> {
  const { plugins } = under.engine;
  const logs = await Array.fromAsync(plugins.logs(name));
  return JSON.stringify([plugins.list(), plugins.inspect(name), logs]);
}

test('a secret is not in what a plugin prints, fails with, is shown with, or is struck for', async () => {
  const { plugins, volumes } = under.engine;
  await plugins.install({ source: make('teller', folder), grant: 'all', enable: true, settings: { token: 'hunter2secret' } });
  const failure = await said(volumes.create({ name: 'some', driver: 'teller' }));
  assert.match(failure, /no entry with \*\*\*/);
  assert.doesNotMatch(failure, /hunter2/);
  assert.doesNotMatch(await said(volumes.create({ name: 'strike', driver: 'teller' })), /hunter2/);
  assert.doesNotMatch(await said(plugins.call({ kind: 'volume', driver: 'teller', method: 'list', request: {}, dryRun: true })), /hunter2/);
  const everything = await seen('teller');
  assert.match(everything, /the token is \*\*\*/);
  assert.match(everything, /"secrets":\["token"\]/);
  assert.doesNotMatch(everything, /hunter2/);
  const refusal = await said(plugins.set('teller', { token: 'refused-live' }));
  assert.match(refusal, /token: bad token \*\*\*/);
  await plugins.set('teller', { token: 'fails-to-start' });
  await plugins.disable('teller');
  const failedStart = await said(plugins.enable('teller'));
  assert.match(failedStart, /refused \*\*\*/);
  assert.doesNotMatch(refusal + failedStart + (await seen('teller')), /refused-live|fails-to-start|hunter2/);
});

test('a secret that is replaced or removed is in no file of the records afterwards, which only the engine can read', async () => {
  const { plugins } = under.engine;
  await plugins.install({ source: make('keeper', folder), grant: 'all', enable: false, settings: { token: 'first-of-all' } });
  assert.ok(isStored('first-of-all'));
  await plugins.set('keeper', { token: 'second-to-none' });
  assert.deepEqual([isStored('first-of-all'), isStored('second-to-none')], [false, true]);
  await plugins.set('keeper', { where: 'elsewhere' });
  assert.ok(isStored('second-to-none'));
  await plugins.remove('keeper');
  assert.ok(!isStored('second-to-none'));
  const data = join(under.folder, 'data');
  const modes = readdirSync(data).flatMap((name) => (name.startsWith('metadata.db') ? [statSync(join(data, name)).mode & 0o777] : []));
  assert.ok(modes.length >= 3);
  assert.deepEqual(new Set(modes), new Set([0o600]));
});

test('a secret from daemon.json is a secret', async () => {
  const { plugins } = under.engine;
  assert.deepEqual([plugins.inspect('found').settings, plugins.inspect('found').secrets], [{ where: 'here' }, ['token']]);
  await under.engine.volumes.create({ name: 'other', driver: 'found' }).catch(() => {});
  assert.match(JSON.stringify(plugins.inspect('found').output), /the token is \*\*\*/);
});

test('what a new version calls a secret is hidden from then on', async () => {
  const { plugins } = under.engine;
  await plugins.install({
    source: make('later', folder, { secrets: [] }),
    grant: 'all',
    enable: false,
    settings: { token: 'plain-for-now' },
  });
  assert.deepEqual(plugins.inspect('later').settings, { token: 'plain-for-now' });
  await plugins.upgrade('later', { source: make('later', folder, { version: '2.0.0' }), grant: [] });
  assert.deepEqual([plugins.inspect('later').settings, plugins.inspect('later').secrets], [{}, ['token']]);
});
