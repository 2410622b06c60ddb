import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../support/images/image-archive.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { architecture, configOf, manifestOf, small, types } from '../../support/plugins/served-image.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';
import { RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

const layer = small('p');
const platforms = ['s390x', architecture, 'riscv64'];
const configs = new Map(platforms.map((each) => [each, configOf([digestOf(layer)], each)] as const));
const idOf = (of: string): string => digestOf(configs.get(of) ?? Buffer.alloc(0));

/** One image for each platform, as Docker's old engines would save them under names of their own. */
function dockerArchive(): Buffer {
  const images = platforms.map((each) => ({ Config: `${each}.json`, RepoTags: [`app:${each}`], Layers: ['layer'] }));
  const members = [...configs].map(([each, config]) => entry(`${each}.json`, config));
  return Buffer.concat([...members, entry('layer', layer), entry('manifest.json', JSON.stringify(images)), endOfArchive]);
}

/** One name for all platforms. */
function ociArchive({ isNested }: { readonly isNested: boolean }): Buffer {
  const manifests = [...configs].map(([each, config]) => ({ each, bytes: manifestOf(config, [[types.layer, layer]]) }));
  const list = manifests.map(({ each, bytes }) => ({
    mediaType: types.manifest,
    digest: digestOf(bytes),
    size: bytes.length,
    platform: { os: 'linux', architecture: each },
    ...(!isNested && { annotations: { 'io.containerd.image.name': `docker.io/library/app:${each}` } }),
  }));
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: list }));
  const named = {
    mediaType: types.index,
    digest: digestOf(index),
    size: index.length,
    annotations: { 'io.containerd.image.name': 'app:1' },
  };
  const outer = isNested ? Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: [named] })) : index;
  const blobs = [layer, index, ...configs.values(), ...manifests.map(({ bytes }) => bytes)];
  return Buffer.concat([
    ...blobs.map((bytes) => entry(`blobs/${digestOf(bytes).replace(':', '/')}`, bytes)),
    entry('index.json', outer),
    entry('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    endOfArchive,
  ]);
}

async function load(archive: Buffer, platform?: string): Promise<readonly string[]> {
  await using room = RoomUnderTest.open();
  const once = (async function* () {
    yield archive;
  })();
  const loaded = await room.images.load(once, platform === undefined ? {} : { platform });
  assert.equal(room.images.count, new Set(loaded.map(({ id }) => id)).size);
  return loaded.map(({ id, reference }) => `${reference} ${id}`);
}

const archives = {
  'a Docker archive': dockerArchive(),
  'an OCI layout': ociArchive({ isNested: false }),
  'an OCI layout with an index': ociArchive({ isNested: true }),
} as const;
for (const [what, archive] of Object.entries(archives)) {
  test(`Images.load() takes of ${what} what is for the platform that is asked for`, async () => {
    for (const each of platforms) {
      const name = what.endsWith('an index') ? 'app:1' : `app:${each}`;
      assert.deepEqual(await load(archive, `linux/${each}`), [`${name} ${idOf(each)}`]);
    }
  });

  test(`Images.load() refuses ${what} that has nothing for the platform, and leaves nothing`, async () => {
    await using room = RoomUnderTest.open();
    const before = await room.left();
    const once = (async function* () {
      yield archive;
    })();
    await assert.rejects(room.images.load(once, { platform: 'linux/arm/v7' }), /for linux\/arm\/v7/);
    assert.deepEqual(await room.left(), before);
  });
}

test('Images.load() takes all images of an archive when no platform is asked for; of an OCI layout those for this machine come first', async () => {
  const ofAll = platforms.map((each) => `app:${each} ${idOf(each)}`);
  assert.deepEqual(await load(dockerArchive()), ofAll);
  const loaded = await load(ociArchive({ isNested: false }));
  assert.deepEqual(loaded.toSorted(), ofAll.toSorted());
  assert.equal(loaded[0], `app:${architecture} ${idOf(architecture)}`);
});

for (const [platform, message] of [
  ['a/b/c/d', /unknown operating system or architecture/],
  ['windows/amd64', /cannot use an image for windows on linux/],
] as const) {
  test(`Images.load() refuses the platform ${platform} before it reads the archive`, async () => {
    await using room = RoomUnderTest.open();
    // oxlint-disable-next-line require-yield -- nothing may be read
    const unread = (async function* (): AsyncGenerator<Buffer> {
      assert.fail('it was read');
    })();
    await assert.rejects(room.images.load(unread, { platform }), { code: 'invalid_argument', message });
  });
}
