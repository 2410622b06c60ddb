import assert from 'node:assert/strict';
import { mkdtempDisposableSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { GantryError } from '@gantry/sdk';
import { type Client, connect } from '@gantry/sdk/client';
import type { Progress } from '@gantry/sdk/engine';
import { dockerApi } from '../../support/clients/docker-api.ts';
import { memoryEngine } from '../../support/engine/memory-engine/index.ts';

const nfs = 'reg:5000/acme/nfs:1.4';

async function withEngine(work: (client: Client, engine: ReturnType<typeof memoryEngine>) => Promise<void>): Promise<void> {
  const engine = memoryEngine();
  await using api = await dockerApi(engine);
  await work(connect({ host: `unix://${api.socketPath}` }), engine);
}

test('Plugins: everything that can be done with a plugin, from offer to remove', async () => {
  await withEngine(async ({ plugins }) => {
    const offer = await plugins.offer(nfs);
    assert.deepEqual([offer.manifest.name, offer.privileges.map(({ name }) => name)], ['acme.nfs', ['network', 'mount type']]);
    const progress: Progress[] = [];
    const request = { source: nfs, alias: 'a/b:c', grant: offer.privileges, enable: true, settings: { RETRIES: '2' } };
    const installed = await plugins.install(request, { onProgress: (message) => progress.push(message) });
    assert.deepEqual([installed.name, installed.state, installed.settings['RETRIES']], ['a/b:c', 'ready', 2]);
    assert.ok(installed.startedAt instanceof Date);
    assert.deepEqual(
      progress.map(({ status }) => status),
      ['Downloading', 'Downloading'],
    );
    assert.equal((await plugins.upgrade('a/b:c', { source: 'reg:5000/acme/nfs:1.5', grant: 'all' })).version, '1.5.0');
    assert.equal((await plugins.rollback('a/b:c')).version, '1.4.0');
    await plugins.set('a/b:c', { RETRIES: undefined });
    const { settings, users, previousVersion } = await plugins.inspect(installed.id.slice(0, 12));
    assert.deepEqual([settings, users, previousVersion], [{ SERVER: 'localhost' }, [], '1.5.0']);
    assert.deepEqual(await plugins.call({ kind: 'volume', driver: 'nfs', method: 'stat', request: { name: 'v' }, dryRun: true }), {
      method: 'stat',
      request: { name: 'v' },
      dryRun: true,
    });
    const [line] = await Array.fromAsync(plugins.logs('a/b:c', { tail: 1 }));
    assert.deepEqual([line?.source, line?.time instanceof Date], ['engine', true]);
    await plugins.push('a/b:c');
    await plugins.bind('volume', 'nfs', 'a/b:c');
    await plugins.disable('a/b:c');
    await plugins.enable('a/b:c', { timeoutMs: 1_500 });
    await plugins.remove('a/b:c', { force: true });
    assert.deepEqual(
      (await plugins.list()).map(({ name }) => name),
      ['gantry.memory'],
    );
  });
});

test('Plugins.logs() follows until abort, and a follower that leaves is forgotten', async () => {
  await withEngine(async ({ plugins }, engine) => {
    await engine.plugins.install({ source: nfs, grant: 'all', enable: false });
    const stop = new AbortController();
    const lines: string[] = [];
    const reading = (async () => {
      for await (const { line } of plugins.logs('acme.nfs', { follow: true, signal: stop.signal })) {
        lines.push(line);
        if (lines.length === 2) stop.abort();
        else engine.plugins.say('acme.nfs', 'two');
      }
    })();
    engine.plugins.say('acme.nfs', 'one');
    await assert.rejects(reading);
    assert.deepEqual(lines, ['one', 'two']);
  });
});

test('Plugins.collectOrphans() says what went and what stays and why, with dates, and tries without deleting', async () => {
  await withEngine(async ({ plugins }, engine) => {
    await plugins.install({ source: nfs, grant: 'all', enable: true });
    const orphan = (id: string, since: Date) => ({ kind: 'volume', driver: 'nfs', id, since }) as const;
    const old = orphan('old', new Date(Date.now() - 2 * 86_400_000));
    const young = orphan('young', new Date());
    engine.plugins.found('acme.nfs', [old, young]);
    const kept = [{ ...young, reason: 'it was first seen a short while ago' }];
    assert.deepEqual(await plugins.collectOrphans('acme.nfs', { all: true, dryRun: true }), { deleted: [old, young], kept: [] });
    assert.deepEqual(await plugins.collectOrphans('acme.nfs'), { deleted: [old], kept });
    assert.deepEqual(await plugins.collectOrphans('acme.nfs'), { deleted: [], kept });
    assert.deepEqual((await plugins.inspect('acme.nfs')).orphans, [young]);
    for (const always of [true, false]) {
      await plugins.collectOrphansAlways('acme.nfs', always);
      assert.equal((await plugins.inspect('acme.nfs')).collectsOrphans, always);
    }
    await assert.rejects(plugins.collectOrphans('nobody'), (error) => GantryError.is(error) && error.code === 'not_found');
  });
});

test('Plugins.install() throws what the stream says went wrong, and when it breaks off', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'client-'));
  const answers = ['{"status":"x"}\r\n{"error":"no space","errorDetail":{"message":"no space"}}\r\n', '{"status":"x"}\r\n'];
  const server = createServer((_request, response) => void response.end(answers.shift()));
  const socketPath = join(folder.path, 's');
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const { plugins } = connect({ host: `unix://${socketPath}` });
  const install = () => plugins.install({ source: nfs, grant: 'all', enable: false });
  await assert.rejects(install(), { message: 'no space' });
  await assert.rejects(install(), (error) => GantryError.is(error) && error.code === 'data_loss');
  server.close();
});
