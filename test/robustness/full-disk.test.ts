import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage, busyboxLayer } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { makeImage } from '../support/images/image-archive.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { PowerCutDisk } from '../support/disks/power-cut.ts';
import { endOfArchive, entry } from '../support/images/tar-builder.ts';
import { cutPower } from './reboot.ts';
import { containerState, createContainer, expect, removeContainer, runExec, runToEnd } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'engine-'));
let disk: PowerCutDisk;
let engine: Daemon;

before(async () => {
  disk = new PowerCutDisk({ path: join(folder, 'data'), sizeMiB: 24 });
  engine = await Daemon.start({ folder });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  await createContainer(engine.api, 'runs', { command: ['sleep', '7020'] });
  await expect(engine.api, 'POST', '/containers/runs/start', { statuses: [204] });
});

after(async () => {
  await removeContainer(engine.api, 'runs');
  await engine.kill('SIGTERM');
  await disk[Symbol.asyncDispose]();
});

test('a load that does not fit says so and leaves nothing', async () => {
  const { archive } = makeImage({
    reference: 'large:1',
    layers: [busyboxLayer(), Buffer.concat([entry('large', Buffer.alloc(40 << 20, 1)), endOfArchive])],
  });
  const filesBefore = files();
  await assert.rejects(engine.api.stream('POST', '/images/load?quiet=1', { body: archive }), /no space left on device/i);
  await expect(engine.api, 'GET', '/_ping', { statuses: [200] });
  await expect(engine.api, 'GET', '/images/large:1/json', { statuses: [404] });
  assert.deepEqual(files(), filesBefore);
});

test('on a full disk what is asked for fails by name, and what runs can be looked at, stopped and removed', async () => {
  await createContainer(engine.api, 'filler', { command: ['sleep', '7021'], hostConfig: { Binds: ['filler:/data'] } });
  await expect(engine.api, 'POST', '/containers/filler/start', { statuses: [204] });
  assert.notEqual(
    await runExec(engine.api, 'filler', ['sh', '-c', 'dd if=/dev/zero of=/data/a bs=64k; dd if=/dev/zero of=/data/b bs=512']),
    0,
  );
  const { status, body } = await engine.api.call('POST', '/images/load?quiet=1', {
    body: busyboxImage({ reference: 'another:1', config: { Cmd: ['a'] } }).archive,
  });
  assert.match(`${status} ${body}`, /no space left on device/i);
  await expect(engine.api, 'GET', '/_ping', { statuses: [200] });
  assert.equal((await containerState(engine.api, 'runs')).Status, 'running');
  assert.equal(await runExec(engine.api, 'filler', ['true']), 0);
  await expect(engine.api, 'POST', '/containers/filler/stop?t=0', { statuses: [204] });
  await expect(engine.api, 'DELETE', '/containers/filler', { statuses: [204] });
  await expect(engine.api, 'DELETE', '/volumes/filler', { statuses: [204] });
  await createContainer(engine.api, 'again');
  assert.equal(await runToEnd(engine.api, 'again'), 0);
  await removeContainer(engine.api, 'again');
});

test('gantryd starts on a full disk, and what fills it can be removed', async () => {
  await createContainer(engine.api, 'filler', {
    command: ['sh', '-c', 'dd if=/dev/zero of=/a bs=64k; dd if=/dev/zero of=/b bs=512; exit 9'],
  });
  assert.equal(await runToEnd(engine.api, 'filler'), 9);
  await engine.kill('SIGKILL');
  engine = await Daemon.start({ folder });
  assert.equal((await containerState(engine.api, 'filler')).ExitCode, 9);
  await removeContainer(engine.api, 'filler');
  await createContainer(engine.api, 'after');
  assert.equal(await runToEnd(engine.api, 'after'), 0);
  await removeContainer(engine.api, 'after');
});

test('an engine whose disk becomes read-only says so of what is asked for, keeps what runs, and works again when the disk does', async () => {
  // What ext4 does by itself when it meets an error (errors=remount-ro).
  execFileSync('mount', ['-o', 'remount,abort', disk.path]);
  const { status, body } = await engine.api.call('POST', '/containers/create?name=refused', { json: { Image: 'busybox', Cmd: ['true'] } });
  assert.match(`${status} ${body}`, /^500 .*read-only file ?system/i);
  const load = await engine.api.call('POST', '/images/load?quiet=1', {
    body: busyboxImage({ reference: 'another:1', config: {} }).archive,
  });
  assert.match(`${load.status} ${load.body}`, /^500 .*read-only file ?system/i);
  await expect(engine.api, 'GET', '/_ping', { statuses: [200] });
  await expect(engine.api, 'GET', '/containers/json?all=1', { statuses: [200] });
  assert.equal((await containerState(engine.api, 'runs')).Status, 'running');
  assert.equal(await runExec(engine.api, 'runs', ['true']), 0);
  const end = await engine.api.call('DELETE', '/containers/runs?force=1');
  assert.match(`${end.status} ${end.body}`, /^500 .*ended, but that could not be recorded: write the metadata store: /);
  await expect(engine.api, 'GET', '/_ping', { statuses: [200] });
  await cutPower(engine, disk);
  engine = await Daemon.start({ folder });
  await createContainer(engine.api, 'refused');
  assert.equal(await runToEnd(engine.api, 'refused'), 0);
  await removeContainer(engine.api, 'refused');
});

test('gantryd on a data root that is read-only says so', async () => {
  await removeContainer(engine.api, 'runs');
  await engine.kill('SIGTERM');
  execFileSync('mount', ['-o', 'remount,ro', disk.path]);
  await assert.rejects(Daemon.start({ folder }), /read-only file system/i);
  execFileSync('mount', ['-o', 'remount,rw', disk.path]);
  engine = await Daemon.start({ folder });
});

test('a disk that fails is named by what is asked of it; the engine answers, and works again when the disk does', async () => {
  disk.cut();
  const { status, body } = await engine.api.call('POST', '/containers/create?name=refused', { json: { Image: 'busybox', Cmd: ['true'] } });
  assert.match(`${status} ${body}`, /^500 .*(input\/output|i\/o) error/i);
  await expect(engine.api, 'GET', '/_ping', { statuses: [200] });
  await expect(engine.api, 'GET', '/containers/json?all=1', { statuses: [200] });
  await cutPower(engine, disk);
  engine = await Daemon.start({ folder });
  await createContainer(engine.api, 'refused');
  assert.equal(await runToEnd(engine.api, 'refused'), 0);
  await removeContainer(engine.api, 'refused');
});

function files(): readonly string[] {
  return readdirSync(disk.path, { recursive: true, encoding: 'utf8' })
    .filter((path) => !/-(wal|shm|journal)$/.test(path))
    .toSorted();
}
