import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxLayer } from '../../support/images/busybox.ts';
import { Daemon } from '../../support/engine/daemon.ts';
import { withExt4 } from '../../support/disks/ext4.ts';
import { makeImage } from '../../support/images/image-archive.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';
import { createContainer, removeContainer, runToEnd, until } from '../../robustness/requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const disk = withExt4({ sizeMiB: 512 });
after(() => disk[Symbol.asyncDispose]());

test('gantryd --collect-above removes the images that went unused for longest until the disk has room, never one in use', async () => {
  await using engine = await Daemon.start({ folder: `${disk.path}/above`, flags: ['--collect-above', '60'] });
  await load(engine, 'used');
  await createContainer(engine.api, 'user', { image: 'used:1', command: ['true'] });
  await load(engine, 'old');
  await load(engine, 'new');
  // Each takes 60 MB as a blob and 60 MB unpacked, of 512 MB: the third is too much.
  assert.equal(await runToEnd(engine.api, 'user'), 0);
  await until(async () => (await names(engine)).length < 3);
  assert.deepEqual(await names(engine), ['new:1', 'used:1']);
  await sleep(2_500);
  assert.deepEqual(await names(engine), ['new:1', 'used:1'], 'enough is enough');
  await removeContainer(engine.api, 'user');
});

test('gantryd --collect-unused-after removes what no container used for so long, under all of its names', async () => {
  await using engine = await Daemon.start({ folder: `${disk.path}/after`, flags: ['--collect-unused-after', '3s'] });
  await load(engine, 'kept', 1_000);
  await createContainer(engine.api, 'keeper', { image: 'kept:1', command: ['true'] });
  await load(engine, 'gone', 1_000);
  await engine.api.json('POST', '/images/gone:1/tag?repo=also&tag=2');
  assert.equal((await names(engine)).length, 3);
  await sleep(3_500);
  // Something comes: the next sweep is soon after.
  await load(engine, 'young', 1_000);
  await until(async () => !(await names(engine)).includes('gone:1'));
  assert.deepEqual(await names(engine), ['kept:1', 'young:1']);
  await removeContainer(engine.api, 'keeper');
});

test('gantryd refuses what is no duration and no percentage', async () => {
  for (const flags of [
    ['--collect-above', '100'],
    ['--collect-above', 'much'],
    ['--collect-unused-after', 'later'],
  ]) {
    await assert.rejects(Daemon.start({ folder: `${disk.path}/refused`, flags }), /collect-/);
  }
});

async function load(engine: Daemon, name: string, sizeBytes = 60_000_000): Promise<void> {
  const layer = Buffer.concat([entry('data', randomBytes(sizeBytes)), endOfArchive]);
  const { archive } = makeImage({ reference: `${name}:1`, layers: [busyboxLayer(), layer] });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: archive });
}

async function names({ api }: Daemon): Promise<readonly string[]> {
  const images = await api.json<readonly { readonly RepoTags: readonly string[] }[]>('GET', '/images/json');
  return images.flatMap(({ RepoTags }) => RepoTags).toSorted();
}
