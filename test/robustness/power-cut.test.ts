import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Api } from '../support/clients/api.ts';
import { busyboxImage, busyboxLayer } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { makeImage } from '../support/images/image-archive.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { PowerCutDisk } from '../support/disks/power-cut.ts';
import { endOfArchive, entry } from '../support/images/tar-builder.ts';
import { cutPower } from './reboot.ts';
import { containerState, countProcesses, createContainer, expect, removeContainer, runToEnd, statusOf, until } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'engine-'));
let disk: PowerCutDisk;
let engine: Daemon;

const upper = Buffer.concat([entry('etc/big', 'b'.repeat(3_000_000)), endOfArchive]);
const loaded = makeImage({ reference: 'loaded:1', layers: [busyboxLayer(), upper] });
const sleeper = ['sleep', '7011'];

interface Row {
  /** Resolves when the engine acknowledged it; the power goes at once. */
  readonly ask: (api: Api) => Promise<unknown>;
  readonly check: (api: Api) => Promise<unknown>;
}

const keptSubnet = { IPAM: { Config: [{ Subnet: '10.55.0.0/24' }] } };

const rows: Readonly<Record<string, Row>> = {
  'a loaded image': {
    ask: (api) => api.stream('POST', '/images/load?quiet=1', { body: loaded.archive }),
    check: async (api) => {
      assert.equal((await api.json<{ readonly Id: string }>('GET', '/images/loaded:1/json')).Id, loaded.imageId);
      const command = ['sh', '-c', '[ "$(tr -d b < /etc/big | wc -c) $(wc -c < /etc/big)" = "0 3000000" ]'];
      await createContainer(api, 'reader', { image: 'loaded:1', command });
      assert.equal(await runToEnd(api, 'reader'), 0);
      await removeContainer(api, 'reader');
    },
  },
  'a tag': {
    ask: (api) => expect(api, 'POST', '/images/busybox/tag?repo=tagged&tag=2', { statuses: [201] }),
    check: (api) => expect(api, 'GET', '/images/tagged:2/json', { statuses: [200] }),
  },
  'the removal of an image': {
    ask: (api) => expect(api, 'DELETE', '/images/loaded:1', { statuses: [200] }),
    check: async (api) => {
      await expect(api, 'GET', '/images/loaded:1/json', { statuses: [404] });
      await expect(api, 'GET', '/images/busybox/json', { statuses: [200] });
    },
  },
  'a volume': {
    ask: (api) => expect(api, 'POST', '/volumes/create', { statuses: [201], json: { Name: 'kept', Labels: { a: 'b' } } }),
    check: async (api) => {
      const { Labels } = await api.json<{ readonly Labels: unknown }>('GET', '/volumes/kept');
      assert.deepEqual(Labels, { a: 'b' });
    },
  },
  'a copy of a volume with a limit': {
    ask: async (api) => {
      await expect(api, 'POST', '/volumes/create', { statuses: [201], json: { Name: 'limited', DriverOpts: { size: '16m' } } });
      const command = ['sh', '-c', 'yes written | head -c 3000000 >/v/file; sync'];
      await createContainer(api, 'writer', { command, hostConfig: { Binds: ['limited:/v'] } });
      assert.equal(await runToEnd(api, 'writer'), 0);
      await removeContainer(api, 'writer');
      await expect(api, 'POST', '/gantry/v1/volumes/limited/clone', { statuses: [201], json: { Name: 'copied' } });
    },
    check: async (api) => {
      const command = ['sh', '-c', '[ "$(grep -cx written /v/file)" = 375000 ]'];
      await createContainer(api, 'reader', { command, hostConfig: { Binds: ['copied:/v'] } });
      assert.equal(await runToEnd(api, 'reader'), 0);
      await removeContainer(api, 'reader');
      for (const name of ['copied', 'limited']) await expect(api, 'DELETE', `/volumes/${name}`, { statuses: [204] });
    },
  },
  'a network': {
    ask: (api) => expect(api, 'POST', '/networks/create', { statuses: [201], json: { Name: 'kept-network', ...keptSubnet } }),
    check: async (api) => {
      await expect(api, 'GET', '/networks/kept-network', { statuses: [200] });
      // Its pool is there as well.
      await expect(api, 'POST', '/networks/create', { statuses: [403], json: { Name: 'second', ...keptSubnet } });
    },
  },
  'a container and what its image had for its volume': {
    ask: (api) =>
      createContainer(api, 'kept', {
        command: ['sh', '-c', 'grep -q ^root: /etc/passwd && grep -q ^users: /etc/group'],
        hostConfig: { Mounts: [{ Type: 'volume', Target: '/etc' }] },
      }),
    check: async (api) => {
      assert.equal(await statusOf(api, 'kept'), 'created');
      assert.equal(await runToEnd(api, 'kept'), 0);
    },
  },
  'a rename': {
    ask: (api) => expect(api, 'POST', '/containers/kept/rename?name=renamed', { statuses: [204] }),
    check: async (api) => assert.deepEqual([await statusOf(api, 'kept'), await statusOf(api, 'renamed')], ['absent', 'exited']),
  },
  'the removal of a container': {
    ask: (api) => removeContainer(api, 'renamed'),
    check: async (api) => assert.equal(await statusOf(api, 'renamed'), 'absent'),
  },
};

before(async () => {
  disk = new PowerCutDisk({ path: join(folder, 'data') });
  engine = await Daemon.start({ folder });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});

after(async () => {
  for (const name of ['stays', 'returns', 'stopped']) await removeContainer(engine.api, name);
  await engine.kill('SIGTERM');
  await disk[Symbol.asyncDispose]();
});

test('a power cut takes what nobody flushed', async () => {
  writeFileSync(join(disk.path, 'not-flushed'), 'x');
  await restart();
  assert.equal(existsSync(join(disk.path, 'not-flushed')), false);
});

for (const [name, { ask, check }] of Object.entries(rows)) {
  test(`${name}, once acknowledged, outlasts a power cut`, { timeout: 30_000 }, async () => {
    await ask(engine.api);
    await restart();
    await check(engine.api);
  });
}

test('containers that ran when the power was cut are over, and those with a restart policy run again', { timeout: 30_000 }, async () => {
  await createContainer(engine.api, 'stays', { command: ['sleep', '7012'] });
  await createContainer(engine.api, 'returns', {
    command: sleeper,
    hostConfig: { NetworkMode: 'bridge', RestartPolicy: { Name: 'always' } },
  });
  for (const name of ['stays', 'returns']) await expect(engine.api, 'POST', `/containers/${name}/start`, { statuses: [204] });
  await restart();
  await until(async () => (await statusOf(engine.api, 'stays')) !== 'running' && countProcesses(sleeper) === 1);
  // The power may have taken the record that it was started: nobody asks for it at the next boot.
  const { Status, ExitCode } = await containerState(engine.api, 'stays');
  assert.ok(Status === 'created' || (Status === 'exited' && ExitCode !== 0), `${Status} ${ExitCode}`);
  await until(async () => (await statusOf(engine.api, 'returns')) === 'running');
});

test('a container that a user stopped before the power cut stays stopped', { timeout: 30_000 }, async () => {
  const hostConfig = { RestartPolicy: { Name: 'unless-stopped' } };
  await createContainer(engine.api, 'stopped', { command: ['sleep', '7013'], hostConfig });
  await expect(engine.api, 'POST', '/containers/stopped/start', { statuses: [204] });
  await expect(engine.api, 'POST', '/containers/stopped/stop?t=0', { statuses: [204] });
  await restart();
  await until(async () => (await statusOf(engine.api, 'stopped')) === 'exited' && countProcesses(sleeper) === 1);
});

async function restart(): Promise<void> {
  await cutPower(engine, disk);
  engine = await Daemon.start({ folder });
}
