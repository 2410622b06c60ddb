import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entry, LogDriver, WriteRequest } from '@gantry/sdk/log';
import { decodeEntries, encodeEntry } from '@gantry/sdk/legacy/wire';
import { type LogAbility, logCases } from '../../sdk/log/conformance.ts';
import { DockerLogPlugin } from '../support/plugins/docker-log-plugin.ts';
import { DockerPluginHost } from '../support/plugins/docker-plugin-host.ts';
import { startDockerPlugin } from '../support/plugins/docker-plugin.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { loggedInfo, logContext as ctx } from '../support/plugins/log-subject.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

const abilities = new Set<LogAbility>(['read', 'attributes']);
/** Docker's protocol has no way to check options. */
const cases = logCases.filter(({ name, needs }) => name !== 'open.unknown-option' && needs.every((need) => abilities.has(need)));

for (const { name, run } of cases) {
  test(`a Docker log plugin behind the adapter passes log.${name}`, async () => {
    await using host = new DockerPluginHost();
    using plugin = new DockerLogPlugin();
    await using _served = await startDockerPlugin(host.socket('l'), ['LogDriver'], plugin.methods);
    const restart = async () => {
      await host.restart();
      return host.driver('log', 'l');
    };
    await run({ driver: await host.driver('log', 'l'), ctx, abilities, container: (facts) => loggedInfo(host.root, facts), restart });
    assert.deepEqual(readdirSync(join(host.root, 'logging')), [], 'no pipe stays');
  });
}

test('log entries are written as Docker writes them', () => {
  const time = { seconds: 1_700_000_000, nanos: 123_456_789 };
  const entry: Entry = { time, source: 'stdout', line: Buffer.from('hi'), partial: false };
  assert.equal(encodeEntry(entry, undefined).toString('hex'), '000000160a067374646f757410959a97ece39fe7cb171a026869');
  const piece = encodeEntry(entry, { id: 'ab', ordinal: 2, isLast: true }).toString('hex');
  assert.ok(piece.endsWith('20012a080801120261621802'), piece);
});

test('a Docker log plugin that stops reading is late with its acks and loses nothing', async () => {
  await using host = new DockerPluginHost();
  using plugin = new DockerLogPlugin();
  plugin.isStuck = true;
  await using _served = await startDockerPlugin(host.socket('l'), ['LogDriver'], plugin.methods);
  const driver = await host.driver('log', 'l');
  const container = loggedInfo(host.root);
  const entries = Array.from({ length: 40 }, (_, index) => entryOf(`${index}`.padEnd(8_000, '.')));
  const acks: number[] = [];
  const writing = (async () => {
    for await (const { ackedSeq } of driver.write(requestsOf(container, entries, 60_000), ctx)) acks.push(ackedSeq);
  })();
  await sleep(300);
  assert.deepEqual(acks, []);
  plugin.resume();
  await writing;
  assert.deepEqual(acks, [40]);
  assert.deepEqual(
    plugin.entries(container.id).map(({ line }) => line.toString()),
    entries.map(({ line }) => line.toString()),
  );
});

test('a Docker log plugin that reads nothing is waited for no longer than a close says', async () => {
  await using host = new DockerPluginHost();
  using plugin = new DockerLogPlugin();
  plugin.isStuck = true;
  await using _served = await startDockerPlugin(host.socket('l'), ['LogDriver'], plugin.methods);
  const driver = await host.driver('log', 'l');
  const writing = Array.fromAsync(driver.write(requestsOf(loggedInfo(host.root), [entryOf('x')], 100), ctx));
  await assert.rejects(writing, { code: 'deadline_exceeded' });
});

test('a Docker log plugin that is started anew while it owes an ack breaks the stream', async () => {
  await using host = new DockerPluginHost();
  using plugin = new DockerLogPlugin();
  plugin.isStuck = true;
  const driver = await (async (): Promise<{ driver: LogDriver; writing: Promise<unknown> }> => {
    await using _first = await startDockerPlugin(host.socket('l'), ['LogDriver'], plugin.methods);
    const found = await host.driver('log', 'l');
    const writing = assert.rejects(Array.fromAsync(found.write(requestsOf(loggedInfo(host.root), [entryOf('x')], 60_000), ctx)), {
      code: 'unavailable',
      message: /log plugin l ended/,
    });
    await sleep(100);
    return { driver: found, writing };
  })();
  await driver.writing;
  plugin.resume();
  await using _second = await startDockerPlugin(host.socket('l'), ['LogDriver'], plugin.methods);
  const container = loggedInfo(host.root);
  assert.deepEqual(await Array.fromAsync(driver.driver.write(requestsOf(container, [entryOf('y')], 1_000), ctx)), [{ ackedSeq: 1 }]);
  assert.equal(plugin.entries(container.id).length, 1);
});

test('a Docker log plugin with a root of its own gets its pipes there, and its symlinks lead nowhere', async () => {
  await using outer = new DockerPluginHost();
  const rootfs = join(outer.root, 'rootfs');
  mkdirSync(join(rootfs, 'run'), { recursive: true });
  const socket = join(outer.root, 'l.sock');
  using plugin = new DockerLogPlugin((path) => join(rootfs, path));
  await using _served = await startDockerPlugin(socket, ['LogDriver'], plugin.methods);
  await using host = new DockerPluginHost({
    loggingFolder: '/run/docker/logging',
    sockets: { l: { socket, scopes: [{ inside: '/', host: rootfs }] } },
  });
  const driver = await host.driver('log', 'l');
  const container = loggedInfo(host.root);
  await Array.fromAsync(driver.write(requestsOf(container, [entryOf('x')], 1_000), ctx));
  assert.equal(plugin.entries(container.id).length, 1);
  assert.deepEqual(readdirSync(join(rootfs, 'run/docker/logging')), []);
  await using evil = new DockerPluginHost({
    loggingFolder: '/evil/logging',
    sockets: { l: { socket, scopes: [{ inside: '/', host: rootfs }] } },
  });
  symlinkSync('/tmp', join(rootfs, 'evil'));
  const refused = Array.fromAsync((await evil.driver('log', 'l')).write(requestsOf(container, [], 10), ctx));
  await assert.rejects(refused);
});

test('a Docker log plugin hears Docker words', async () => {
  await using host = new DockerPluginHost();
  using plugin = new DockerLogPlugin();
  await using served = await startDockerPlugin(host.socket('l'), ['LogDriver'], plugin.methods);
  const driver = await host.driver('log', 'l');
  const container = loggedInfo(host.root, { name: 'web', command: ['sh', '-c', 'x'], labels: { a: 'b' }, env: ['C=D'] });
  await Array.fromAsync(driver.write(requestsOf(container, [entryOf('x')], 1_000), ctx));
  assert.deepEqual(plugin.lastInfo, {
    Config: { colour: 'red' },
    ContainerID: container.id,
    ContainerName: '/web',
    ContainerEntrypoint: 'sh',
    ContainerArgs: ['-c', 'x'],
    ContainerImageID: container.imageId,
    ContainerImageName: 'busybox',
    ContainerCreated: '1970-01-01T00:00:00.000Z',
    ContainerEnv: ['C=D'],
    ContainerLabels: { a: 'b' },
    LogPath: '',
    DaemonName: 'gantry',
  });
  await Array.fromAsync(
    driver.read?.({ container, options: {}, since: { seconds: 1, nanos: 5 }, tail: 3, follow: false, stdout: true, stderr: true }, ctx) ??
      [],
  );
  assert.deepEqual(plugin.lastConfig, { Since: '1970-01-01T00:00:01.000000005Z', Until: '0001-01-01T00:00:00Z', Tail: 3, Follow: false });
  assert.deepEqual(served.calls, [
    'Plugin.Activate',
    'LogDriver.Capabilities',
    'LogDriver.StartLogging',
    'LogDriver.StopLogging',
    'LogDriver.ReadLogs',
  ]);
});

test('a Docker log plugin without Capabilities has no read, so that the spool answers', async () => {
  await using host = new DockerPluginHost();
  await using _plugin = await startDockerPlugin(host.socket('l'), ['LogDriver'], {});
  assert.equal('read' in (await host.driver('log', 'l')), false);
});

const streams: Readonly<Record<string, string>> = {
  'that is too long': 'ffffffff00',
  'that ends in the middle': '0000000a0801',
  'that is no protobuf': '00000003ffffff',
  'with a length beyond its end': '000000031aff01',
  'with a group': '000000010b',
};
for (const [what, hex] of Object.entries(streams)) {
  test(`a Docker log plugin may not answer an entry ${what}`, async () => {
    await assert.rejects(Array.fromAsync(decodeEntries(chunkOf(hex))), { code: 'internal' });
  });
}

async function* chunkOf(hex: string): AsyncGenerator<Buffer> {
  yield Buffer.from(hex, 'hex');
}

async function* requestsOf(
  container: ReturnType<typeof loggedInfo>,
  entries: readonly Entry[],
  flushDeadlineMs: number,
): AsyncGenerator<WriteRequest> {
  yield { kind: 'open', streamId: `${container.id}:l:1`, container, options: { colour: 'red' } };
  yield { kind: 'batch', firstSeq: 1, entries, droppedBefore: 0 };
  yield { kind: 'close', flushDeadlineMs };
}

function entryOf(text: string): Entry {
  return { time: { seconds: 1_700_000_000, nanos: 1 }, source: 'stdout', line: Buffer.from(text), partial: false };
}
