import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage, busyboxLayer } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { makeImage } from '../support/images/image-archive.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { endOfArchive, entry } from '../support/images/tar-builder.ts';
import { missingForZfs, withZfsPool, type ZfsPool } from '../support/disks/zfs-pool.ts';
import { containerState, createContainer, expect, linesOf, removeContainer, runExec, runToEnd, until } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1', missing: missingForZfs() });

const folder = mkdtempSync(join(tmpdir(), 'engine-'));
let pool: ZfsPool;
let engine: Daemon;

const start = (driver: string) => Daemon.start({ folder, flags: ['--storage-driver', driver, '--storage-opt', `zfs.fsname=${pool.name}`] });

before(async () => {
  pool = withZfsPool({ sizeMiB: 512 });
  engine = await start('zfs');
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});

after(async () => {
  await engine.kill('SIGTERM');
  await pool[Symbol.asyncDispose]();
});

test('docker info names the driver, its pool and where the data sets are', async () => {
  const { Driver, DriverStatus } = await engine.api.json<{
    readonly Driver: string;
    readonly DriverStatus: readonly (readonly [string, string])[];
  }>('GET', '/info');
  const facts = Object.fromEntries(DriverStatus);
  assert.deepEqual([Driver, facts['Zpool'], facts['Zpool Health'], facts['Parent Dataset']], ['zfs', pool.name, 'ONLINE', pool.name]);
});

for (const Runtime of ['crun', 'runc']) {
  test(`a container on a data set runs with ${Runtime}; what it changed is told, committed, and runs again`, async () => {
    const change = 'echo new >/new && rm /etc/group && chmod 700 /home && mkdir /etc/more';
    await createContainer(engine.api, 'changes', { command: ['sh', '-c', change], hostConfig: { Runtime } });
    assert.equal(await runToEnd(engine.api, 'changes'), 0);
    const changes = await engine.api.json<readonly { readonly Kind: number; readonly Path: string }[]>(
      'GET',
      '/containers/changes/changes',
    );
    assert.deepEqual(
      changes.map(({ Kind, Path }) => `${'CAD'[Kind]} ${Path}`),
      ['C /etc', 'D /etc/group', 'A /etc/more', 'C /home', 'A /new'],
    );
    await expect(engine.api, 'POST', '/commit?container=changes&repo=changed&tag=1', { statuses: [201] });
    const seen = 'cat /new; [ -e /etc/group ] || echo gone; ls -d /etc/more; stat -c %a /home';
    await createContainer(engine.api, 'reads', { image: 'changed:1', command: ['sh', '-c', seen], hostConfig: { Runtime } });
    assert.equal(await runToEnd(engine.api, 'reads'), 0);
    assert.deepEqual(await linesOf(engine.api, 'reads'), ['new', 'gone', '/etc/more', '700']);
    for (const name of ['reads', 'changes']) await removeContainer(engine.api, name);
  });
}

test('an image of data sets is saved, removed and loaded again', async () => {
  const { Id } = await engine.api.json<{ readonly Id: string }>('GET', '/images/changed:1/json');
  const answer = await engine.api.open('GET', '/images/changed:1/get');
  const archive = Buffer.concat(await Array.fromAsync(answer as AsyncIterable<Buffer>));
  await expect(engine.api, 'DELETE', '/images/changed:1', { statuses: [200] });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: archive });
  assert.equal((await engine.api.json<{ readonly Id: string }>('GET', '/images/changed:1/json')).Id, Id);
  await createContainer(engine.api, 'reads', { image: 'changed:1', command: ['cat', '/new'] });
  assert.equal(await runToEnd(engine.api, 'reads'), 0);
  await removeContainer(engine.api, 'reads');
  await expect(engine.api, 'DELETE', '/images/changed:1', { statuses: [200] });
});

test('a container that filled its quota is told so, can remove files, and then write again', async () => {
  const command = ['sh', '-c', 'dd if=/dev/urandom of=/a bs=64k; sleep 7030'];
  await createContainer(engine.api, 'limited', { command, hostConfig: { StorageOpt: { size: '16M' } } });
  await expect(engine.api, 'POST', '/containers/limited/start', { statuses: [204] });
  await until(async () => (await linesOf(engine.api, 'limited')).some((line) => /quota exceeded/i.test(line)));
  assert.equal(await runExec(engine.api, 'limited', ['rm', '/a']), 0);
  // The pool gives room back some seconds later, with its next group of writes.
  await until(async () => (await runExec(engine.api, 'limited', ['sh', '-c', 'echo x >/b'])) === 0);
  await removeContainer(engine.api, 'limited');
});

test('a data set that somebody keeps busy is told of, and goes with the next removal', async () => {
  const known = new Set(dataSets());
  await createContainer(engine.api, 'held');
  const made = dataSets().filter((name) => !known.has(name));
  assert.equal(made.length, 1);
  const holder = spawn('unshare', ['--mount', 'sh', '-c', `mount -t zfs ${made[0]} /mnt && exec sleep 7032`], { stdio: 'ignore' });
  const ended = once(holder, 'exit');
  try {
    await until(() => holders(made[0] ?? '').length > 0);
    await removeContainer(engine.api, 'held');
    await until(() => engine.log.includes('stays on the disk until the next removal'));
    assert.deepEqual(
      dataSets().filter((name) => made.includes(name)),
      made,
    );
  } finally {
    holder.kill('SIGKILL');
    await ended;
  }
  await createContainer(engine.api, 'next');
  await removeContainer(engine.api, 'next');
  await until(() => dataSets().every((name) => known.has(name)));
});

test('after a power cut of the pool what was acknowledged is whole', async () => {
  await createContainer(engine.api, 'writes', { command: ['sh', '-c', 'seq 100000 >/numbers'] });
  assert.equal(await runToEnd(engine.api, 'writes'), 0);
  await expect(engine.api, 'POST', '/commit?container=writes&repo=numbers', { statuses: [201] });
  await engine.kill('SIGKILL');
  pool.cutPower();
  engine = await start('zfs');
  assert.deepEqual(await findings(), []);
  await createContainer(engine.api, 'reads', { image: 'numbers', command: ['sh', '-c', 'wc -l </numbers; tail -1 /numbers'] });
  assert.equal(await runToEnd(engine.api, 'reads'), 0);
  assert.deepEqual(await linesOf(engine.api, 'reads'), ['100000', '100000']);
  for (const name of ['reads', 'writes']) await removeContainer(engine.api, name);
  await expect(engine.api, 'DELETE', '/images/numbers', { statuses: [200] });
});

test('an engine that was killed takes over what runs on data sets; the check finds all of them', async () => {
  await createContainer(engine.api, 'kept', { command: ['sh', '-c', 'echo before >/file; sleep 7031'] });
  await expect(engine.api, 'POST', '/containers/kept/start', { statuses: [204] });
  await engine.kill('SIGKILL');
  engine = await start('zfs');
  assert.equal((await containerState(engine.api, 'kept')).Status, 'running');
  assert.equal(await runExec(engine.api, 'kept', ['grep', 'before', '/file']), 0);
  assert.deepEqual(await findings(), []);
});

test('images of zfs and of overlay2 live side by side, whichever is chosen for new ones', async () => {
  await engine.kill('SIGKILL');
  engine = await start('overlay2');
  const other = makeImage({ reference: 'other:1', layers: [Buffer.concat([entry('first', 'x'), endOfArchive]), busyboxLayer()] });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: other.archive });
  assert.deepEqual(await Promise.all(['busybox', 'other:1'].map(driverOf)), ['zfs', 'overlay2']);
  for (const [name, image] of [
    ['of-zfs', 'busybox'],
    ['of-overlay2', 'other:1'],
  ] as const) {
    await createContainer(engine.api, name, { image, command: ['sh', '-c', 'echo x >/etc/x'] });
    assert.equal(await runToEnd(engine.api, name), 0);
  }
  assert.equal(await runExec(engine.api, 'kept', ['true']), 0);
  assert.deepEqual(await findings(), []);
  for (const name of ['of-zfs', 'of-overlay2', 'kept']) await removeContainer(engine.api, name);
});

test('when containers and images are gone, so are their data sets', async () => {
  await expect(engine.api, 'DELETE', '/images/busybox', { statuses: [200] });
  // The first image of a name that was committed twice.
  await expect(engine.api, 'POST', '/images/prune', { statuses: [200] });
  await until(() => dataSets().length === 0).catch(() => {
    const told = engine.log.split('\n').filter((line) => !line.includes('API call'));
    assert.deepEqual([dataSets().map((name) => [name, ...holders(name)]), told.slice(-40)], []);
  });
});

async function driverOf(image: string): Promise<string> {
  return (await engine.api.json<{ readonly GraphDriver: { readonly Name: string } }>('GET', `/images/${image}/json`)).GraphDriver.Name;
}

function dataSets(): readonly string[] {
  const names = execFileSync('zfs', ['list', '-H', '-r', '-d', '1', '-o', 'name', pool.name], { encoding: 'utf8' }).trim().split('\n');
  return names.filter((name) => name !== pool.name);
}

/** Processes in whose mount namespace it is mounted. */
function holders(name: string): readonly string[] {
  return globSync('/proc/[0-9]*').flatMap((ofProcess) => {
    try {
      if (!readFileSync(join(ofProcess, 'mountinfo'), 'utf8').includes(name)) return [];
      return [
        `${ofProcess} ${readlinkSync(join(ofProcess, 'ns/mnt'))} ${readFileSync(join(ofProcess, 'cmdline'), 'utf8').replaceAll('\0', ' ').slice(0, 80)}`,
      ];
    } catch {
      return [];
    }
  });
}

async function findings(): Promise<unknown> {
  const told = (await engine.api.stream('POST', '/gantry/v1/system/check')).trim().split('\n');
  return (JSON.parse(told.at(-1) ?? '') as { readonly aux: { readonly findings: unknown } }).aux.findings;
}
