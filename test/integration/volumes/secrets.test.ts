import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createEngine } from '../../../core/index.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { writeFiles } from '../../support/plugins/plugin-sources.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const secret = 'correct-horse';
const pluginDirs = (folder: string) => [join(folder, 'plugins')];

/** A driver that notes what it is given, by a digest where it is secret, and quotes the secret where it should not. */
function writePlugin(folder: string): void {
  const code = `import { appendFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { mount, t, volume } from '@gantry/sdk/author';
const digest = (text) => createHash('sha256').update(String(text)).digest('hex').slice(0, 8);
let last = '';
const note = (what, v, host, more = {}) => appendFileSync(host.dataDir + '/notes', JSON.stringify({ what, user: v.options.user, password: digest(v.options.password), ...more }) + '\\n');
export default volume({
  name: 'vault',
  options: { user: t.String(), password: t.Optional(t.Secret()) },
  create: (v, { host }) => {
    last = v.options.password ?? '';
    note('create', v, host);
    if (v.options.user === 'nobody') throw new Error('login failed: nobody:' + v.options.password);
  },
  attach: (v, req, { host }) => {
    note('attach', v, host, { labels: req.consumer?.labels, secrets: Object.keys(req.secrets ?? {}), open: Object.keys(req.options) });
    if (v.options.user === 'late') throw new Error('cannot log in with ' + v.options.password);
    return [mount.tmpfs()];
  },
  clone: (v, _, { host }) => note('clone', v, host),
  rename: () => {},
  status: () => ({ line: 'connected with ' + last }),
});
`;
  writeFiles(join(folder, 'plugins/vault'), {
    'main.ts': code,
    'gantry-plugin.json': {
      manifestVersion: 1,
      name: 'vault',
      version: '0.1.0',
      provides: [{ contract: 'volume', versions: ['v1'], drivers: ['vault'], features: ['clone', 'rename'] }],
      entry: { node: 'main.ts' },
      placement: ['process'],
      options: {
        volume: {
          type: 'object',
          properties: { user: { type: 'string', minLength: 1 }, password: { type: 'string', minLength: 1, 'x-secret': true } },
          required: ['user'],
          additionalProperties: false,
        },
      },
    },
  });
}

const notes = (folder: string): readonly Record<string, unknown>[] =>
  readFileSync(join(folder, 'data/plugins/vault/notes'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('a secret option of a volume reaches its driver and is shown nowhere', { timeout: 90_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  writePlugin(folder);
  const logged: string[] = [];
  const line = (...given: readonly unknown[]): void =>
    void logged.push(JSON.stringify(given, (_, value: unknown) => (value instanceof Error ? String(value.stack) : value)));
  const log = { debug: line, info: line, warn: line, error: line, child: () => log };
  {
    await using under = await EngineUnderTest.open({
      pluginDirs: pluginDirs(folder),
      dataRoot: join(folder, 'data'),
      execRoot: join(folder, 'exec'),
      log,
    });
    const { volumes, containers, events } = under.engine;
    const stop = new AbortController();
    const told: unknown[] = [];
    const watching = (async () => {
      for await (const event of events.subscribe({ signal: stop.signal })) told.push(event);
    })().catch(() => {});
    const options = { user: 'me', password: secret };
    const made = await volumes.create({ name: 'v1', driver: 'vault', options });
    await volumes.create({ name: 'v1', driver: 'vault', options });
    assert.deepEqual(made.options, { user: 'me' });
    const inspected = await volumes.inspect('v1');
    assert.deepEqual([inspected.options, inspected.status], [{ user: 'me' }, { line: 'connected with ***' }]);
    const driverConfig = { Name: 'vault', Options: { user: 'me', password: secret } };
    const id = await under.create('true', {
      config: { Image: 'busybox', Cmd: ['true'], Labels: { tier: 'front' } },
      hostConfig: {
        Binds: ['v1:/v'],
        Mounts: [{ Type: 'volume', Source: 'w1', Target: '/w', VolumeOptions: { DriverConfig: driverConfig } }],
      },
    });
    await containers.start(id);
    await containers.wait(id, 'not-running').result;
    await assert.rejects(volumes.create({ name: 'x1', driver: 'vault', options: { ...options, user: 'nobody' } }), (error: Error) => {
      assert.match(error.message, /login failed: nobody:\*\*\*/);
      return !JSON.stringify([error.message, error.stack, String(error.cause)]).includes(secret);
    });
    await volumes.create({ name: 'late', driver: 'vault', options: { ...options, user: 'late' } });
    await assert.rejects(under.run('true', { hostConfig: { Binds: ['late:/v'] } }), (error: Error) => {
      assert.match(error.message, /cannot log in with \*\*\*/);
      return true;
    });
    stop.abort();
    await watching;
    const shown = JSON.stringify([
      made,
      inspected,
      await volumes.list({}),
      containers.inspect(id),
      under.engine.plugins.inspect('vault'),
      containers.list({ all: true }),
      told,
      logged,
    ]);
    assert.ok(!shown.includes(secret), shown.slice(Math.max(0, shown.indexOf(secret) - 300), shown.indexOf(secret) + 60));
    const attaches = notes(folder).filter(({ what, user }) => what === 'attach' && user === 'me');
    assert.ok(attaches.length > 0);
    for (const { password, secrets, open } of attaches)
      assert.deepEqual([password, secrets, open], [digestOf(secret), ['password'], ['user']]);
    assert.deepEqual(attaches.at(-1)?.['labels'], { tier: 'front' });
    await containers.remove(id, { force: true, volumes: true });
  }
  {
    // The next engine hands it over as well, also for a copy and under another name.
    await using engine = await createEngine({
      pluginDirs: pluginDirs(folder),
      dataRoot: join(folder, 'data'),
      execRoot: join(folder, 'exec'),
    });
    await engine.volumes.clone({ from: 'v1', name: 'copy' });
    await engine.volumes.rename('v1', 'moved');
    const before = notes(folder).length;
    const { id } = await engine.containers.create({
      config: { Image: 'busybox', Cmd: ['true'] },
      hostConfig: { NetworkMode: 'none', Binds: ['moved:/v', 'copy:/c'] },
    });
    await engine.containers.start(id);
    await engine.containers.wait(id, 'not-running').result;
    assert.deepEqual(
      new Set(
        notes(folder)
          .slice(before)
          .map(({ password }) => password),
      ),
      new Set([digestOf(secret)]),
    );
    await engine.containers.remove(id, { force: true, volumes: true });
    for (const name of ['moved', 'copy', 'w1', 'late']) await engine.volumes.remove(name, { force: true });
  }
  rmSync(folder, { recursive: true });
});

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
