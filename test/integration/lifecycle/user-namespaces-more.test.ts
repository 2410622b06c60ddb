import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { EngineUnderTest } from '../../support/engine.ts';
import { noLeaks } from '../../support/leak-guard.ts';
import { inNamespaces } from '../../support/namespaces.ts';
import { entry } from '../../support/tar-builder.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const ranges = [{ inside: 0, outside: 200_000, size: 65_536 }];
const idMaps = { uids: ranges, gids: ranges };

let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open({ containerDefaults: { idMaps } });
  chmodSync(under.folder, 0o711);
  await under.warm();
});
after(() => under[Symbol.asyncDispose]());

test('containers in user namespaces find each other by name, and are connected while they run', async () => {
  const { networks } = under.engine;
  const { id } = await networks.create({ name: 'named', driver: 'bridge' });
  {
    await using server = await under.sleeping({ name: 'server', hostConfig: { NetworkMode: 'named' } });
    const asking = 'nslookup server > /dev/null && ping -c 1 server > /dev/null && echo found';
    assert.equal((await under.run(asking, { hostConfig: { NetworkMode: 'named' } })).stdout, 'found\n');
    await networks.connect('bridge', server.id, {});
    assert.match((await under.exec(server.id, ['ip', '-o', '-4', 'addr'])).stdout, /eth1/);
    await networks.disconnect('bridge', server.id, { force: false });
    assert.doesNotMatch((await under.exec(server.id, ['ip', '-o', '-4', 'addr'])).stdout, /eth1/);
  }
  await networks.remove(id);
});

test('what an image has at a volume’s place goes into the volume with its owners', async () => {
  await under.image('owned', [entry('data/', '', { type: '5', uid: 5, gid: 6 }), entry('data/file', 'x', { uid: 7, gid: 8 })], {
    Volumes: { '/data': {} },
  });
  const { stdout } = await under.run('stat -c "%u:%g" /data /data/file', { config: { Image: 'owned' } });
  assert.equal(stdout, '5:6\n7:8\n');
});

test('a terminal belongs to the container’s user', async () => {
  await using _nothingLeft = noLeaks();
  const { stdout } = await under.run('stat -c %u /dev/console /proc/self/fd/0 -L; echo x > /dev/tty && echo opened', {
    config: { Tty: true },
  });
  assert.deepEqual(stdout.trim().split('\r\n'), ['0', '0', 'x', 'opened']);
});
