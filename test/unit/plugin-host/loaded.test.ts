import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const loaded: string[] = [];
registerHooks({
  load(url, context, next) {
    loaded.push(url);
    return next(url, context);
  },
});

test('PluginHost loads what installs plugins, and the wire to other processes, with the first that needs it', async () => {
  const { PluginHost } = await import('../../../core/plugin-host/index.ts');
  const { Database } = await import('../../../core/metadata/index.ts');
  const { quietLog } = await import('../../support/machine/quiet-log.ts');
  const root = mkdtempSync(join(tmpdir(), 'gantry-loaded-'));
  using after = new DisposableStack();
  after.defer(() => rmSync(root, { recursive: true }));
  const database = after.use(new Database(join(root, 'metadata.db')));
  await using host = new PluginHost({
    database,
    log: quietLog,
    dataRoot: join(root, 'data'),
    execRoot: join(root, 'run'),
    pluginDirs: [join(import.meta.dirname, '../../../plugins')],
  });
  await host.collect();
  host.start();
  await host.get('volume', 'local');
  assert.ok(host.list().length > 5);
  assert.deepEqual(found(), []);
  await assert.rejects(host.upgrade('nobody', { source: './none', grant: 'all' }), /plugin "nobody" not found/);
  assert.ok(found().some((url) => url.includes('/core/plugin-install/')));
});

const found = (): readonly string[] =>
  loaded.filter((url) => /\/core\/plugin-install\/|\/plugin-host\/changes|protobufjs|grpc-js|\/sdk\/rpc\/(session|codec)/.test(url));
