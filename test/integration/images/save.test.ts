import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { busyboxImage, busyboxLayer } from '../../support/images/busybox.ts';
import { digestOf, makeImage } from '../../support/images/image-archive.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';
import { collected, RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

const other = makeImage({ layers: [Buffer.concat([entry('a', 'b'), endOfArchive])], reference: 'other:1' });

test('Images.save() gives the same bytes for the same images, in whatever order and engine, and tar reads them', async () => {
  await using first = RoomUnderTest.open();
  await using second = RoomUnderTest.open();
  const busybox = busyboxImage();
  for (const archive of [busybox.archive, other.archive]) await first.load(archive);
  for (const archive of [other.archive, busybox.archive]) await second.load(archive);
  const saved = await collected(await first.images.save(['busybox', 'other:1']));
  assert.ok(saved.equals(await collected(await second.images.save(['other', other.imageId, 'busybox:latest']))));
  const names = execFileSync('tar', ['--list'], { input: saved, encoding: 'utf8' }).trim().split('\n');
  assert.deepEqual(
    names.filter((name) => !/^blobs\/sha256\/[0-9a-f]{64}$/.test(name)),
    ['blobs/', 'blobs/sha256/', 'index.json', 'manifest.json', 'oci-layout', 'repositories'],
  );
  assert.equal(names.length, 6 + 2 * 3);
  assert.deepEqual(JSON.parse(member(saved, 'repositories')), {
    busybox: { latest: busybox.diffIds[0]?.slice(7) },
    other: { 1: other.diffIds[0]?.slice(7) },
  });
});

for (const without of ['index.json', 'manifest.json']) {
  test(`Images.save() is loaded again by what is left of it without ${without}`, async () => {
    await using room = RoomUnderTest.open();
    const { archive, imageId } = busyboxImage();
    await room.load(archive);
    const saved = await collected(await room.images.save(['busybox']));
    await using another = RoomUnderTest.open();
    const rest = execFileSync('tar', ['--delete', without, '--file=-'], { input: saved, maxBuffer: 1e9 });
    assert.deepEqual(await another.load(rest), [{ id: imageId, reference: 'busybox:latest' }]);
  });
}

test('Images.save() writes a layer that was stored compressed as the plain tar that it is', async () => {
  await using room = RoomUnderTest.open();
  const layer = busyboxLayer();
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(layer)] } }),
  );
  const manifest = JSON.stringify([{ Config: 'c', RepoTags: ['zipped:1'], Layers: ['l'] }]);
  await room.load(Buffer.concat([entry('manifest.json', manifest), entry('c', config), entry('l', gzipSync(layer)), endOfArchive]));
  const saved = await collected(await room.images.save(['zipped:1']));
  assert.ok(saved.includes(layer));
  assert.deepEqual(JSON.parse(member(saved, 'manifest.json'))[0].Layers, [`blobs/${digestOf(layer).replace(':', '/')}`]);
  assert.deepEqual((await room.left()).ingest, []);
});

test('Images.save() of a repository takes all its tags, of a tag that one, of an id none', async () => {
  await using room = RoomUnderTest.open();
  const { archive, imageId } = busyboxImage();
  await room.load(archive);
  await room.images.tag('busybox', 'busybox:2');
  const tags = async (...names: readonly string[]) =>
    JSON.parse(member(await collected(await room.images.save(names)), 'manifest.json')).map(
      (image: { RepoTags: unknown }) => image.RepoTags,
    );
  assert.deepEqual(await tags('busybox'), [['busybox:2', 'busybox:latest']]);
  assert.deepEqual(await tags('busybox:2'), [['busybox:2']]);
  assert.deepEqual(await tags(imageId), [null]);
  assert.deepEqual(await tags(imageId.slice(7, 19), 'busybox:latest'), [['busybox:latest']]);
  assert.deepEqual(room.takeEvents().filter((event) => event.startsWith('save')).length, 4);
});

test('Images.save() names what it does not find before the first byte', async () => {
  await using room = RoomUnderTest.open();
  await assert.rejects(room.images.save(['nope']), { code: 'not_found', message: 'No such image: nope:latest' });
  await assert.rejects(room.images.save(['A']), { code: 'invalid_argument' });
});

test('Images.save() goes on when the image is removed meanwhile, and then its blobs go', async () => {
  await using room = RoomUnderTest.open();
  await room.load(busyboxImage().archive);
  const whole = await collected(await room.images.save(['busybox']));
  const chunks: Buffer[] = [];
  for await (const chunk of await room.images.save(['busybox'])) {
    if (chunks.length === 0) await room.images.remove('busybox', { force: false, prune: true });
    chunks.push(chunk);
  }
  assert.ok(whole.equals(Buffer.concat(chunks)));
  assert.equal((await room.left()).blobs, 0);
});

test('Images.save() that nobody reads to its end leaves nothing behind', async () => {
  await using room = RoomUnderTest.open();
  await room.load(busyboxImage().archive);
  for await (const _chunk of await room.images.save(['busybox'])) break;
  assert.deepEqual((await room.left()).ingest, []);
});

function member(tar: Buffer, name: string): string {
  return execFileSync('tar', ['--extract', '--to-stdout', '--file=-', name], { input: tar, encoding: 'utf8', maxBuffer: 1e9 });
}
