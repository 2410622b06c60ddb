import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { noLeaks } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';

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

test('a device node that docker cp or an image brings is no way to the machine’s device', async () => {
  await using _nothingLeft = noLeaks();
  const node = entry('node', '', { type: '3', mode: 0o666, device: [1, 1] });
  await under.image('nodes', [node]);
  await using container = await under.sleeping({ config: { Image: 'nodes' }, hostConfig: { CapAdd: ['ALL'] } });
  await under.put(container.id, '/tmp', Buffer.concat([node, endOfArchive]));
  const { stdout, stderr } = await under.exec(container.id, [
    'sh',
    '-c',
    'stat -c "%F %t:%T" /node /tmp/node; head -c 1 /node; head -c 1 /tmp/node',
  ]);
  assert.equal(stdout, 'character special file 1:1\n'.repeat(2));
  assert.match(stderr, /node: Operation not permitted\n.*node: Operation not permitted/);
});

// CVE-2021-21284: root of a user namespace that could write to the engine's folders would be root of the machine in a moment.
test('who is root of a user namespace writes nowhere in data and exec root but to its own root and volumes', async () => {
  await using container = await under.sleeping({ hostConfig: { NetworkMode: 'bridge', Binds: ['kept:/v'] }, config: { Tty: true } });
  const all = spawnSync('find', [under.folder, '-print0'], { maxBuffer: 2 ** 28 }).stdout;
  const script =
    'for path; do if [ -w "$path" ] && [ ! -L "$path" ]; then echo "w $path"; elif [ -f "$path" ] && [ -r "$path" ]; then echo "r $path"; fi; done';
  const found = spawnSync('setpriv', ['--reuid=200000', '--regid=200000', '--clear-groups', 'xargs', '-0', 'sh', '-c', script, 'sh'], {
    input: all,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const rootfs = join(under.folder, 'exec/containers', container.id, 'rootfs');
  const lines = found.stdout.trim().split('\n');
  assert.ok(lines.includes(`w ${rootfs}`), 'its own root');
  const others = lines.filter((line) => !/\/exec\/containers\/[0-9a-f]{64}\/rootfs(\/|$)/.test(line));
  assert.deepEqual(others, []);
});
