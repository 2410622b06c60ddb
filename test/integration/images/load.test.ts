import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { busyboxImage, busyboxLayer } from '../../support/images/busybox.ts';
import { digestOf, makeImage } from '../../support/images/image-archive.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { endOfArchive, entry, header } from '../../support/images/tar-builder.ts';
import { RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

for (const [what, squeeze] of Object.entries({ plain: (bytes: Buffer) => bytes, gzip: gzipSync, zstd: zstdCompressSync })) {
  test(`Images.load() loads a Docker archive (${what}) and its image has the files`, async () => {
    await using room = RoomUnderTest.open();
    const { archive, imageId, diffIds } = busyboxImage();
    assert.deepEqual(await room.load(squeeze(archive)), [{ id: imageId, reference: 'busybox:latest' }]);
    const image = room.images.inspect('busybox');
    assert.deepEqual([image.id, image.repoTags, image.config.rootfs.diff_ids], [imageId, ['busybox:latest'], diffIds]);
    assert.equal(image.graphDriver, 'overlay2');
    await using tree = await room.images.mount('busybox');
    assert.deepEqual(readFileSync(join(tree.path, 'bin/busybox')), readFileSync('/bin/busybox'));
    assert.deepEqual(room.takeEvents(), [`load ${imageId}`]);
    assert.deepEqual((await room.left()).ingest, []);
  });
}

for (const [what, squeeze] of Object.entries({
  plain: (bytes: Buffer) => bytes,
  gzip: gzipSync,
  zstd: zstdCompressSync,
  xz: (bytes: Buffer) => execFileSync('xz', ['-1c'], { input: bytes, maxBuffer: 2 ** 27 }),
})) {
  test(`Images.load() is done with a chunk (${what}) when it asks for the next`, async () => {
    await using room = RoomUnderTest.open();
    const { archive, imageId } = busyboxImage();
    const squeezed = squeeze(archive);
    async function* reused() {
      const memory = Buffer.alloc(10_000);
      for (let at = 0; at < squeezed.length; at += memory.length) {
        const length = squeezed.copy(memory, 0, at);
        yield memory.subarray(0, length);
        memory.fill(0xff);
      }
    }
    assert.deepEqual(await room.images.load(reused(), {}), [{ id: imageId, reference: 'busybox:latest' }]);
  });
}

test('Images.load() unpacks a layer while the rest of the archive is still to come, and takes it away when the rest is bad', async () => {
  await using room = RoomUnderTest.open();
  const layer = layerOf('hello', 'world'.repeat(30_000));
  const before = await room.left();
  async function* archive() {
    yield Buffer.concat([entry('layer.tar', layer), entry('other', 'x')]);
    while ((await room.left()).snapshots === before.snapshots) await setTimeout(5);
    yield Buffer.concat([entry('manifest.json', 'rubbish'), endOfArchive]);
  }
  await assert.rejects(room.images.load(archive(), {}), /manifest\.json/);
  assert.deepEqual(await room.left(), before);
});

test('Images.load() loads an OCI layout, whatever small pieces it comes in, and takes the name from the annotation', async () => {
  await using room = RoomUnderTest.open();
  const { archive, imageId } = busyboxImage({ format: 'oci', reference: 'docker.io/library/busybox:1' });
  async function* small() {
    for (let at = 0; at < archive.length; at += 1_000) yield archive.subarray(at, at + 1_000);
  }
  assert.deepEqual(await room.images.load(small(), {}), [{ id: imageId, reference: 'busybox:1' }]);
});

test('Images.load() reads the old layout, with a layer that is a link to the same layer of another image', async () => {
  await using room = RoomUnderTest.open();
  const layer = layerOf('hello', 'world'.repeat(30_000));
  const config = (author: string) =>
    Buffer.from(JSON.stringify({ author, architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(layer)] } }));
  const archive = Buffer.concat([
    header({ name: 'one/', type: '5' }),
    entry('one/layer.tar', layer),
    header({ name: 'two/layer.tar', type: '2', link: '../one/layer.tar' }),
    header({ name: 'three', type: '2', link: 'two' }),
    entry('one.json', config('one')),
    entry('./two.json', config('two')),
    entry('three.json', config('three')),
    entry(
      'manifest.json',
      JSON.stringify([
        { Config: 'one.json', RepoTags: ['one:1'], Layers: ['one/layer.tar'] },
        { Config: 'two.json', RepoTags: ['two'], Layers: ['two/layer.tar'] },
        { Config: 'three.json', RepoTags: null, Layers: ['three/layer.tar'] },
      ]),
    ),
    endOfArchive,
  ]);
  const loaded = await room.load(archive);
  assert.deepEqual(loaded, [
    { id: digestOf(config('one')), reference: 'one:1' },
    { id: digestOf(config('two')), reference: 'two:latest' },
    { id: digestOf(config('three')) },
  ]);
  assert.equal(room.layers.images.all().length, 1);
});

test('Images.load() keeps a compressed layer as it came and knows it by its diff id', async () => {
  await using room = RoomUnderTest.open();
  const layer = busyboxLayer();
  const blob = gzipSync(layer);
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(layer)] } }),
  );
  const manifest = JSON.stringify([{ Config: 'c.json', RepoTags: [], Layers: ['l.tar'] }]);
  await room.load(Buffer.concat([entry('manifest.json', manifest), entry('c.json', config), entry('l.tar', blob), endOfArchive]));
  assert.deepEqual(
    room.layers.images.all().map(({ diffId, blobDigest }) => [diffId, blobDigest]),
    [[digestOf(layer), digestOf(blob)]],
  );
});

test('Images.load() twice changes nothing the second time; another image takes the name over and says from whom', async () => {
  await using room = RoomUnderTest.open();
  const first = busyboxImage();
  await room.load(first.archive);
  const before = await room.left();
  assert.deepEqual(await room.load(first.archive), [{ id: first.imageId, reference: 'busybox:latest' }]);
  assert.deepEqual(await room.left(), before);
  const second = busyboxImage({ config: { Cmd: ['true'] } });
  assert.deepEqual(await room.load(second.archive), [{ id: second.imageId, reference: 'busybox:latest', replaced: first.imageId }]);
  assert.deepEqual(room.images.inspect(first.imageId).repoTags, []);
});

test('Images.load() of the same archive by two clients at once gives both the image', async () => {
  await using room = RoomUnderTest.open();
  const { archive, imageId } = busyboxImage();
  const loaded = await Promise.all([room.load(archive), room.load(archive)]);
  assert.deepEqual(
    loaded.map(([image]) => image?.id),
    [imageId, imageId],
  );
  assert.deepEqual(await room.left(), { blobs: 2, ingest: [], layers: 1, snapshots: 1 });
});

test('Images.load() of an empty list loads nothing, and an image without layers is one', async () => {
  await using room = RoomUnderTest.open();
  assert.deepEqual(await room.load(Buffer.concat([entry('manifest.json', '[]'), endOfArchive])), []);
  const { archive, imageId } = makeImage({ layers: [], reference: 'nothing' });
  assert.deepEqual(await room.load(archive), [{ id: imageId, reference: 'nothing:latest' }]);
  assert.equal(room.images.inspect('nothing').sizeBytes, 0);
});

test('Images.load() takes the later of two members with one name, and layers that are the same twice', async () => {
  await using room = RoomUnderTest.open();
  const layer = layerOf('a', 'b');
  const { archive, imageId } = makeImage({ layers: [layer, layer], reference: 'twice:1' });
  const loaded = await room.load(Buffer.concat([entry('manifest.json', '{'), archive]));
  assert.deepEqual(loaded, [{ id: imageId, reference: 'twice:1' }]);
});

test('Images.load() chooses the manifest for this machine out of an index in an index', async () => {
  await using room = RoomUnderTest.open();
  const { archive, imageId } = nestedIndex(busyboxImage({ format: 'oci' }).archive);
  assert.deepEqual(await room.load(archive), [{ id: imageId, reference: 'many:1' }]);
});

test('Images.load() tells the progress of each layer', async () => {
  await using room = RoomUnderTest.open();
  const { archive, diffIds } = busyboxImage();
  const told: unknown[] = [];
  await room.load(archive, (progress) => told.push(progress));
  const total = busyboxLayer().length;
  assert.deepEqual(told, [{ status: 'Loading layer', id: diffIds[0]?.slice(7, 19), progressDetail: { current: total, total } }]);
});

test('Images.load() that is aborted leaves nothing', async () => {
  await using room = RoomUnderTest.open();
  const before = await room.left();
  const { archive } = busyboxImage();
  const controller = new AbortController();
  async function* slow() {
    yield archive.subarray(0, 700_000);
    controller.abort(new Error('gone'));
    yield archive.subarray(700_000);
  }
  await assert.rejects(room.images.load(slow(), { signal: controller.signal }), { message: 'gone' });
  assert.deepEqual(await room.left(), before);
});

test('Images.load() repairs an image whose config was damaged; until then it can be listed but not used', async () => {
  const root = mkdtempSync(join(tmpdir(), 'images-'));
  await using removed = new AsyncDisposableStack();
  removed.defer(() => rmSync(root, { recursive: true }));
  const { archive, imageId } = busyboxImage();
  {
    await using room = RoomUnderTest.open({ root });
    await room.load(archive);
    writeFileSync(room.content.path(imageId), '{}');
  }
  await using again = RoomUnderTest.open({ root });
  assert.deepEqual(
    (await again.images.list({})).map(({ id, config }) => [id, config.config]),
    [[imageId, {}]],
  );
  assert.throws(() => again.images.resolve('busybox'), { code: 'data_loss', message: `blob ${imageId} is damaged` });
  await again.load(archive);
  assert.deepEqual(again.images.resolve('busybox').config.config?.Cmd, ['sh']);
});

test('Images.load() is durable: a new room over the same data root shows the same', async () => {
  const root = mkdtempSync(join(tmpdir(), 'images-'));
  const { archive } = busyboxImage();
  let before;
  {
    await using room = RoomUnderTest.open({ root });
    await room.load(archive);
    await room.images.tag('busybox', 'other:1');
    before = await room.images.list({});
  }
  {
    await using room = RoomUnderTest.open({ root });
    assert.deepEqual(await room.images.list({}), before);
  }
  rmSync(root, { recursive: true });
});

function layerOf(name: string, text: string): Buffer {
  return Buffer.concat([entry(name, text), endOfArchive]);
}

/** The same image behind two indexes, beside one for another machine and an attestation. */
function nestedIndex(archive: Buffer): { readonly archive: Buffer; readonly imageId: string } {
  const { imageId, manifestDigest } = busyboxImage({ format: 'oci' });
  const manifestType = 'application/vnd.oci.image.manifest.v1+json';
  const indexType = 'application/vnd.oci.image.index.v1+json';
  const size = manifestSize(archive, manifestDigest);
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const other = `sha256:${'0'.repeat(64)}`;
  const inner = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        { mediaType: manifestType, digest: other, size: 3, platform: { os: 'linux', architecture: 's390x' } },
        {
          mediaType: manifestType,
          digest: other,
          size: 3,
          platform: { os: 'unknown', architecture: 'unknown' },
          annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
        },
        { mediaType: manifestType, digest: manifestDigest, size, platform: { os: 'linux', architecture } },
      ],
    }),
  );
  const annotations = { 'io.containerd.image.name': 'docker.io/library/many:1' };
  const outer = { schemaVersion: 2, manifests: [{ mediaType: indexType, digest: digestOf(inner), size: inner.length, annotations }] };
  const added = [entry(`blobs/${digestOf(inner).replace(':', '/')}`, inner), entry('index.json', JSON.stringify(outer)), endOfArchive];
  return { archive: Buffer.concat([archive.subarray(0, -1024), ...added]), imageId };
}

function manifestSize(archive: Buffer, digest: string): number {
  const at = archive.indexOf(`blobs/${digest.replace(':', '/')}`);
  return Number.parseInt(archive.toString('latin1', at + 124, at + 135), 8);
}
