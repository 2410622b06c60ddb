import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { busyboxImage, busyboxLayer } from '../../support/images/busybox.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { digestOf } from '../../support/images/image-archive.ts';
import { pieces, RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

const containerId = 'c'.repeat(64);

test('Images.import() makes an image of one layer out of any tar of files, with the changes that are asked for', async () => {
  await using room = RoomUnderTest.open();
  const { id } = await room.images.import({
    tar: pieces(gzipSync(busyboxLayer())),
    reference: 'imported:1',
    message: 'from nowhere',
    changes: ['CMD ["sh"]', 'ENV A=1 B="two words"\nEXPOSE 80 90-91/udp', 'WORKDIR /x'],
    platform: 'linux/amd64',
  });
  const { config, repoTags, comment, sizeBytes } = room.images.inspect('imported:1');
  assert.deepEqual(repoTags, ['imported:1']);
  assert.equal(comment, 'from nowhere');
  assert.ok(sizeBytes > 100_000);
  assert.deepEqual(config.rootfs, { type: 'layers', diff_ids: [digestOf(busyboxLayer())] });
  assert.deepEqual(config.config, {
    Cmd: ['sh'],
    Env: ['A=1', 'B=two words'],
    ExposedPorts: { '80/tcp': {}, '90/udp': {}, '91/udp': {} },
    WorkingDir: '/x',
  });
  assert.deepEqual(room.takeEvents(), [`import ${id}`]);
  assert.deepEqual((await room.left()).ingest, []);
});

test('Images.import() refuses junk, bad names, bad changes and other systems, and leaves nothing', async () => {
  await using room = RoomUnderTest.open();
  const before = await room.left();
  const good = { changes: [] };
  const refused: readonly (readonly [request: object, message: RegExp])[] = [
    [{ ...good, tar: pieces(Buffer.alloc(5_000, 'junk')) }, /tar/],
    [{ ...good, tar: pieces(busyboxLayer().subarray(0, 100_000)) }, /unexpected end/],
    [{ ...good, tar: pieces(busyboxLayer()), reference: 'A' }, /must be lowercase/],
    [{ tar: pieces(busyboxLayer()), changes: ['FOO bar'] }, /^FOO is not a valid change command$/],
    [{ ...good, tar: pieces(busyboxLayer()), platform: 'windows/amd64' }, /windows/],
  ];
  for (const [request, message] of refused) {
    await assert.rejects(room.images.import(request as Parameters<typeof room.images.import>[0]), { code: 'invalid_argument', message });
  }
  assert.deepEqual(await room.left(), before);
});

async function withContainer(room: RoomUnderTest): Promise<{ readonly imageId: string }> {
  const { archive, imageId } = busyboxImage();
  await room.load(archive);
  const { chainIds, graphDriver } = room.images.resolve('busybox');
  await room.layers.containers.create(containerId, { chainIds, graphDriver });
  room.takeEvents();
  return { imageId };
}

test("Images.commit() puts a container's changes on top of its image and remembers where it comes from", async () => {
  await using room = RoomUnderTest.open();
  const { imageId } = await withContainer(room);
  const root = await room.layers.containers.mount(containerId);
  writeFileSync(join(root, 'etc/new'), 'new');
  const { id } = await room.images.commit({
    containerId,
    imageId,
    config: { Cmd: ['sh', '-c', 'touch'], Env: ['PATH=/bin', 'A=1'], Labels: { a: 'b' } },
    reference: 'changed',
    author: 'me',
    comment: 'why not',
    changes: ['ENV A=2 P=$PATH:/x', 'ENTRYPOINT ls -l', 'LABEL c="d e"', 'USER nobody', 'VOLUME /v', 'ONBUILD RUN x', 'WORKDIR y'],
  });
  await room.layers.containers.unmount(containerId);
  const image = room.images.inspect('changed:latest');
  assert.deepEqual([image.id, image.parent, image.comment, image.config.author], [id, imageId, 'why not', 'me']);
  assert.deepEqual(image.config.config, {
    Cmd: ['sh', '-c', 'touch'],
    Env: ['PATH=/bin', 'A=2', 'P=/bin:/x'],
    Labels: { a: 'b', c: 'd e' },
    Entrypoint: ['/bin/sh', '-c', 'ls -l'],
    User: 'nobody',
    Volumes: { '/v': {} },
    OnBuild: ['RUN x'],
    WorkingDir: '/y',
  });
  const history = room.images.history(id);
  assert.deepEqual(
    history.map((step) => [step.id, step.created_by?.slice(0, 11), step.comment]),
    [
      [id, 'sh -c touch', 'why not'],
      [imageId, 'made for a ', undefined],
    ],
  );
  await using tree = await room.images.mount('changed');
  assert.equal(readFileSync(join(tree.path, 'etc/new'), 'utf8'), 'new');
  assert.deepEqual(room.takeEvents(), ['tag changed:latest']);
  assert.deepEqual(room.images.descendantsOf('busybox'), new Set([imageId, id]));
  await assert.rejects(room.images.remove(imageId, { force: true, prune: true }), {
    message: `conflict: unable to delete ${imageId.slice(7, 19)} (cannot be forced) - image has dependent child images`,
  });
  await room.layers.containers.remove(containerId);
});

test('Images.commit() of a container that changed nothing makes an image with no further layer', async () => {
  await using room = RoomUnderTest.open();
  const { imageId } = await withContainer(room);
  const { id } = await room.images.commit({ containerId, imageId, config: { Cmd: ['sh'] }, changes: [] });
  const { config, repoTags } = room.images.inspect(id);
  assert.deepEqual([config.rootfs.diff_ids.length, config.history?.at(-1)?.empty_layer, repoTags], [1, true, []]);
  assert.deepEqual((await room.left()).ingest, []);
  await room.layers.containers.remove(containerId);
});

test('Images.commit() refuses a bad name or change before it reads the container', async () => {
  await using room = RoomUnderTest.open();
  const { imageId } = await withContainer(room);
  const before = await room.left();
  const request = { containerId, imageId, config: {}, changes: [] };
  await assert.rejects(room.images.commit({ ...request, reference: 'A' }), { message: /\(library\/A\) must be lowercase/ });
  await assert.rejects(room.images.commit({ ...request, changes: ['RUN x'] }), { message: 'RUN is not a valid change command' });
  assert.deepEqual(await room.left(), before);
  await room.layers.containers.remove(containerId);
});
