import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage, busyboxLayer } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { type Disk, missingForDisk, withDisk } from '../support/disks/disk.ts';
import { makeImage } from '../support/images/image-archive.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { endOfArchive, entry } from '../support/images/tar-builder.ts';
import { containerState, createContainer, expect, linesOf, removeContainer, runExec, runToEnd, until } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1', missing: missingForDisk('btrfs') });

const folder = mkdtempSync(join(tmpdir(), 'engine-'));
const flags = ['--storage-driver', 'btrfs', '--storage-opt', 'btrfs.quota=simple'];
const pattern = Buffer.from('bytes that will rot on the disk.'.repeat(8));
const snapshots = join(folder, 'data/plugins/gantry.btrfs');
let disk: Disk;
let engine: Daemon;

before(async () => {
  disk = withDisk('btrfs', { path: join(folder, 'data'), sizeMiB: 256 });
  engine = await Daemon.start({ folder, flags });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});

after(async () => {
  await engine.kill('SIGTERM');
  await disk[Symbol.asyncDispose]();
});

test('a container that filled its quota can do everything else; its subvolumes count, and go with it', async () => {
  const filling = 'for f in a b; do dd if=/dev/zero of=/$f bs=64k; done; sleep 7030';
  await createContainer(engine.api, 'limited', { command: ['sh', '-c', filling], hostConfig: { StorageOpt: { size: '16M' } } });
  await expect(engine.api, 'POST', '/containers/limited/start', { statuses: [204] });
  await until(async () => (await linesOf(engine.api, 'limited')).filter((line) => /quota exceeded/i.test(line)).length === 2);
  assert.equal(await runExec(engine.api, 'limited', ['rm', '-f', '/b', '/a']), 0);
  const [tree = ''] = globSync(`${snapshots}/*/quota`).map((file) => join(file, '../tree'));
  execFileSync('sync', ['-f', tree]);
  for (const path of ['within', 'within/deeper']) execFileSync('btrfs', ['-q', 'subvolume', 'create', join(tree, path)]);
  assert.notEqual(await runExec(engine.api, 'limited', ['sh', '-c', 'dd if=/dev/zero of=/within/deeper/c bs=64k']), 0);
  execFileSync('btrfs', ['property', 'set', join(tree, 'within'), 'ro', 'true']);
  await removeContainer(engine.api, 'limited');
  await until(() => globSync(`${snapshots}/**/within`).length === 0);
});

test('a size that is none, or too small, is refused', async () => {
  for (const [size, message] of [
    ['some', /size/],
    ['-1', /size/],
  ] as const) {
    const json = { Image: 'busybox', Cmd: ['true'], HostConfig: { NetworkMode: 'none', StorageOpt: { size } } };
    const { status, body } = await engine.api.call('POST', '/containers/create?name=refused', { json });
    assert.equal(status, 400, body);
    assert.match(body, message);
  }
});

test('on a full disk containers can be removed, and then there is room', async () => {
  await createContainer(engine.api, 'filler', { command: ['sleep', '7031'] });
  await expect(engine.api, 'POST', '/containers/filler/start', { statuses: [204] });
  const fill = 'dd if=/dev/zero of=/a bs=64k; dd if=/dev/zero of=/b bs=512';
  await runExec(engine.api, 'filler', ['sh', '-c', fill]);
  await assert.rejects(engine.api.stream('POST', '/images/load?quiet=1', { body: largeImage() }), /no space left on device/i);
  await expect(engine.api, 'GET', '/_ping', { statuses: [200] });
  assert.equal(await runExec(engine.api, 'filler', ['true']), 0);
  await engine.kill('SIGKILL');
  engine = await Daemon.start({ folder, flags });
  assert.equal((await containerState(engine.api, 'filler')).Status, 'running');
  await removeContainer(engine.api, 'filler');
  await until(() => globSync(`${snapshots}/#*/tree`).length === 0);
  await until(async () => (await engine.api.call('POST', '/images/load?quiet=1', { body: largeImage() })).status === 200);
  await expect(engine.api, 'DELETE', '/images/large:1', { statuses: [200] });
});

test('a layer that rots on the disk is said to be broken, by whoever reads it; all else works, and the image can be loaded anew', async () => {
  const rotting = makeImage({
    reference: 'rotting:1',
    layers: [busyboxLayer(), Buffer.concat([entry('file', Buffer.concat(Array<Buffer>(64).fill(pattern))), endOfArchive])],
  });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: rotting.archive });
  await createContainer(engine.api, 'reads', { image: 'rotting:1', command: ['cat', '/file'] });
  execFileSync('sync', ['-f', snapshots]);
  assert.ok(disk.rot(pattern) >= 2);
  await restartCold();
  assert.notEqual(await runToEnd(engine.api, 'reads'), 0);
  assert.match((await linesOf(engine.api, 'reads')).join('\n'), /input\/output error/i);
  for (const path of ['/containers/reads/export', '/images/rotting:1/get', '/containers/reads/archive?path=/file']) {
    const logged = engine.log.length;
    await assert.rejects(engine.api.stream('GET', path), path);
    await until(() => /"code":"data_loss".*(layer|blob sha256:\w+): EIO/.test(engine.log.slice(logged)));
  }
  await expect(engine.api, 'GET', '/_ping', { statuses: [200] });
  await createContainer(engine.api, 'other');
  assert.equal(await runToEnd(engine.api, 'other'), 0);
  for (const name of ['reads', 'other']) await removeContainer(engine.api, name);
  await expect(engine.api, 'DELETE', '/images/rotting:1', { statuses: [200] });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: rotting.archive });
  await createContainer(engine.api, 'reads', { image: 'rotting:1', command: ['cat', '/file'] });
  assert.equal(await runToEnd(engine.api, 'reads'), 0);
  await removeContainer(engine.api, 'reads');
});

function largeImage(): Buffer {
  return makeImage({
    reference: 'large:1',
    layers: [busyboxLayer(), Buffer.concat([entry('large', Buffer.alloc(40 << 20, 1)), endOfArchive])],
  }).archive;
}

/** Nothing of the disk is in memory any more. */
async function restartCold(): Promise<void> {
  await engine.kill('SIGTERM');
  for (const file of globSync(`${folder}/data/**/{file,sha256/*}`))
    execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
  engine = await Daemon.start({ folder, flags });
}
