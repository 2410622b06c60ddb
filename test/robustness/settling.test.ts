import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxLayer } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { makeImage } from '../support/images/image-archive.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { PowerCutDisk } from '../support/disks/power-cut.ts';
import { endOfArchive, entry, header } from '../support/images/tar-builder.ts';
import { cutPower, killOthers } from './reboot.ts';
import { containerState, createContainer, expect, removeContainer, runToEnd } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

// The third layer has a hard link to what the second brings: it cannot be unpacked without it.
const second = Buffer.concat([entry('etc/big', 'b'.repeat(3_000_000)), endOfArchive]);
const third = Buffer.concat([header({ name: 'etc/link', type: '1', link: 'etc/big' }), endOfArchive]);
const image = makeImage({ reference: 'loaded:1', layers: [busyboxLayer(), second, third] });
const again = /unpacking a layer again/g;
/** Longer than the engine waits before the disk gets what was loaded. */
const settledMs = 7_000;

const folder = mkdtempSync(join(tmpdir(), 'engine-'));
let disk: PowerCutDisk;
let engine: Daemon;

before(async () => {
  disk = new PowerCutDisk({ path: join(folder, 'data') });
  engine = await Daemon.start({ folder });
});

after(async () => {
  await engine.kill();
  await killOthers();
  await disk[Symbol.asyncDispose]();
});

test('a load that was acknowledged before the disk had its files is whole after a power cut: they are unpacked again, once', async () => {
  await load();
  assert.equal(await unpackedBy(() => cutPower(engine, disk)), 3, engine.log);
  await isWhole();
  assert.equal(await unpackedBy(() => engine.kill('SIGKILL')), 0, 'a kernel that has the files need not be helped');
  await isWhole();
  await forget();
});

test('an engine that is killed right after a load finds its containers running, and unpacks nothing below them', async () => {
  await load();
  await createContainer(engine.api, 'runs', { image: 'loaded:1', command: ['sleep', '7012'] });
  await expect(engine.api, 'POST', '/containers/runs/start', { statuses: [204] });
  const { Pid } = await containerState(engine.api, 'runs');
  assert.equal(await unpackedBy(() => engine.kill('SIGKILL')), 0);
  assert.deepEqual((await containerState(engine.api, 'runs')).Pid, Pid);
  await isWhole();
  await removeContainer(engine.api, 'runs');
  await forget();
});

test('a load is on the disk soon after: a power cut takes nothing', async () => {
  await load();
  await sleep(settledMs);
  assert.equal(await unpackedBy(() => cutPower(engine, disk)), 0);
  await isWhole();
  await forget();
});

async function load(): Promise<void> {
  await engine.api.stream('POST', '/images/load?quiet=1', { body: image.archive });
}

/** How many layers the next engine unpacks again; all of them write one log. */
async function unpackedBy(end: () => Promise<unknown>): Promise<number> {
  const earlier = engine.log.match(again)?.length ?? 0;
  await end();
  engine = await Daemon.start({ folder });
  return (engine.log.match(again)?.length ?? 0) - earlier;
}

async function isWhole(): Promise<void> {
  const command = ['sh', '-c', '[ "$(tr -d b < /etc/link | wc -c) $(wc -c < /etc/link) $(wc -c < /etc/big)" = "0 3000000 3000000" ]'];
  await createContainer(engine.api, 'reader', { image: 'loaded:1', command });
  assert.equal(await runToEnd(engine.api, 'reader'), 0);
  await removeContainer(engine.api, 'reader');
}

async function forget(): Promise<void> {
  await expect(engine.api, 'DELETE', '/images/loaded:1', { statuses: [200] });
}
