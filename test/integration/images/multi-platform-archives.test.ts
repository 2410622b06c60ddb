import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf } from '../../support/images/image-archive.ts';
import { attestation, type IndexedImage, indexedImage, layoutOf } from '../../support/images/indexed-image.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { architecture, small, types } from '../../support/plugins/served-image.ts';
import { collected, RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

const first = indexedImage('first', { also: [attestation(small('x'))] });
const name = 'docker.io/library/app:1';
const idOf = (image: IndexedImage, of: string): string => image.parts.get(of)?.id ?? '';
const own = idOf(first, architecture);

const saved = async ({ images }: RoomUnderTest, names: readonly string[], platform?: string): Promise<Buffer> =>
  collected(await images.save(names, platform === undefined ? {} : { platform }));

/** What a name means for each platform. */
function meant(room: RoomUnderTest, of = 'app:1'): Readonly<Record<string, string>> {
  const here = room.images.manifests(of).filter(({ isHere }) => isHere);
  return Object.fromEntries(
    here.map(({ platform: { architecture: arch } }) => [arch, room.images.inspect(of, { platform: `linux/${arch}` }).id]),
  );
}

const all = Object.fromEntries([...first.parts].map(([of, { id }]) => [of, id]));

test('Images.load() takes all platforms of an index under its name, once told, and Images.save() gives them back', async () => {
  await using room = RoomUnderTest.open();
  const before = await room.left();
  const loaded = await room.load(layoutOf(first, name));
  assert.deepEqual(loaded, [{ id: own, reference: 'app:1' }]);
  assert.deepEqual(meant(room), all);
  const archive = await saved(room, ['app:1']);
  assert.deepEqual(await saved(room, ['app']), archive, 'the same bytes');
  assert.ok(archive.includes(first.index), 'the index as it came');
  await room.images.remove('app:1', { force: false, prune: true });
  assert.deepEqual(await room.left(), before);
  await using other = RoomUnderTest.open();
  assert.deepEqual(await other.load(archive), [{ id: own, reference: 'app:1' }]);
  assert.deepEqual(meant(other), all);
  assert.deepEqual(await saved(other, ['app:1']), archive);
  assert.deepEqual((await other.load(archive))[0], { id: own, reference: 'app:1' }, 'once more replaces nothing');
});

test('Images.load() takes of an index what the archive has, and of that what is for a platform', async () => {
  const partial = layoutOf(first, name, { without: ['riscv64'] });
  {
    await using room = RoomUnderTest.open();
    await room.load(partial);
    assert.deepEqual(Object.keys(meant(room)).toSorted(), [architecture, 's390x'].toSorted());
    const archive = await saved(room, ['app:1']);
    assert.ok(archive.includes(first.index), 'the index as it came, although not all of it is here');
    await using other = RoomUnderTest.open();
    await other.load(archive);
    assert.deepEqual(meant(other), meant(room));
  }
  await using room = RoomUnderTest.open();
  const once = async function* () {
    yield partial;
  };
  await assert.rejects(room.images.load(once(), { platform: 'linux/riscv64' }), { code: 'not_found' });
  await room.images.load(once(), { platform: 'linux/s390x' });
  assert.deepEqual(meant(room), { s390x: idOf(first, 's390x') });
  await room.load(layoutOf(first, name, { without: ['s390x'] }));
  assert.deepEqual(meant(room), all, 'what comes later comes to it');
  await assert.rejects(room.load(layoutOf(first, name, { without: ['s390x', architecture, 'riscv64'] })), /no matching manifest/);
});

test('Images.save() writes one platform where it is asked for, or is all that is here, as an image of its own', async () => {
  await using room = RoomUnderTest.open();
  await room.load(layoutOf(first, name));
  for (const arch of ['s390x', architecture]) {
    const archive = await saved(room, ['app:1'], `linux/${arch}`);
    assert.ok(!archive.includes(first.index));
    await using other = RoomUnderTest.open();
    assert.deepEqual(await other.load(archive), [{ id: idOf(first, arch), reference: 'app:1' }]);
    assert.equal(other.images.count, 1);
    assert.deepEqual(await saved(other, ['app:1']), archive);
  }
  await assert.rejects(saved(room, ['app:1'], 'linux/arm/v7'), { code: 'not_found' });
});

test('Images.save() of several names of one index, and of one of its images, has each blob once and all names', async () => {
  await using room = RoomUnderTest.open();
  await room.load(layoutOf(first, name));
  await room.images.tag('app:1', 'other/app:2');
  await room.images.tag(idOf(first, 's390x'), 'single:1');
  const archive = await saved(room, ['other/app:2', 'app:1', 'single:1']);
  assert.deepEqual(await saved(room, ['single:1', 'app', 'other/app']), archive);
  await using other = RoomUnderTest.open();
  const loaded = await other.load(archive);
  assert.deepEqual(new Set(loaded.map(({ reference }) => reference)), new Set(['app:1', 'other/app:2', 'single:1']));
  assert.deepEqual([meant(other), meant(other, 'other/app:2')], [all, all]);
  assert.equal(other.images.inspect('single:1').id, idOf(first, 's390x'));
});

test('skopeo and podman read what Images.save() writes of several platforms, and Images.load() what skopeo copies of it', async () => {
  await using room = RoomUnderTest.open();
  const complete = indexedImage('complete');
  await room.load(layoutOf(complete, name));
  const folder = mkdtempSync(join(tmpdir(), 'saved-'));
  try {
    const [from, to] = [join(folder, 'from.tar'), join(folder, 'to.tar')];
    writeFileSync(from, await saved(room, ['app:1']));
    const skopeo = (...words: readonly string[]): string =>
      execFileSync('skopeo', ['--tmpdir', folder, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    assert.equal(digestOf(Buffer.from(skopeo('inspect', '--raw', `oci-archive:${from}`))), complete.indexDigest);
    assert.equal(digestOf(Buffer.from(skopeo('inspect', '--raw', '--config', `docker-archive:${from}`))), idOf(complete, architecture));
    skopeo(
      '--insecure-policy',
      'copy',
      '--all',
      '--preserve-digests',
      `oci-archive:${from}`,
      `oci-archive:${to}:docker.io/library/copied:1`,
    );
    await using other = RoomUnderTest.open();
    await other.load(readFileSync(to));
    assert.deepEqual(meant(other, 'copied:1'), Object.fromEntries([...complete.parts].map(([of, { id }]) => [of, id])));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** An index of these descriptors instead of its own. */
function withIndex(manifests: readonly object[], { mediaType = types.index, members = [] as readonly Buffer[] } = {}): Buffer {
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  const parts = new Map([...first.parts, ...members.map((bytes, at) => [`extra ${at}`, { id: '', manifest: bytes, blobs: [] }] as const)]);
  return layoutOf({ index, indexDigest: digestOf(index), parts }, name);
}
const described = (of: string, platform: object = { os: 'linux', architecture: of }, mediaType = types.manifest): object => {
  const { manifest = Buffer.alloc(0) } = first.parts.get(of) ?? {};
  return { mediaType, digest: digestOf(manifest), size: manifest.length, platform };
};
const indexOf = (bytes: Buffer) => ({ mediaType: types.index, digest: digestOf(bytes), size: bytes.length });

const taken: Readonly<Record<string, readonly [archive: Buffer, meant: Readonly<Record<string, string>>]>> = {
  'the same platform twice: the first': [
    withIndex([described('s390x'), described('riscv64', { os: 'linux', architecture: 's390x' })]),
    { s390x: idOf(first, 's390x') },
  ],
  'the same manifest twice': [withIndex([described('s390x'), described('s390x')]), { s390x: idOf(first, 's390x') }],
  'an image for another system': [
    withIndex([described('riscv64', { os: 'windows', architecture: 'amd64' }), described('s390x')]),
    { s390x: idOf(first, 's390x') },
  ],
  'an attestation': [
    withIndex([described('riscv64', { os: 'unknown', architecture: 'unknown' }), described('s390x')]),
    { s390x: idOf(first, 's390x') },
  ],
  'no platform said': [
    withIndex([described('s390x', {}), described('riscv64', {})]),
    { s390x: idOf(first, 's390x'), riscv64: idOf(first, 'riscv64') },
  ],
};
for (const [what, [archive, expected]] of Object.entries(taken)) {
  test(`Images.load() of an index with ${what}`, async () => {
    await using room = RoomUnderTest.open();
    await room.load(archive);
    const { images } = room;
    assert.deepEqual(
      Object.fromEntries(Object.keys(expected).map((arch) => [arch, images.inspect('app:1', { platform: `linux/${arch}` }).id])),
      expected,
    );
    assert.equal(images.count, Object.keys(expected).length);
  });
}

/** An index that names one with three images so often that it would take minutes to read each time. */
function crowd(): Buffer {
  const manifests = Array.from({ length: 10_000 }, () => indexOf(first.index));
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests }));
}

test('Images.load() reads an index once that is named ten thousand times', { timeout: 60_000 }, async () => {
  await using room = RoomUnderTest.open();
  const many = crowd();
  await room.load(withIndex([indexOf(many)], { members: [many, first.index] }));
  assert.deepEqual(
    Object.keys(all).map((arch) => room.images.inspect('app:1', { platform: `linux/${arch}` }).id),
    Object.values(all),
  );
});

const broken = Buffer.from('{"schemaVersion":2}');
const refused: Readonly<Record<string, readonly [archive: Buffer, message: RegExp]>> = {
  'a manifest of another size': [withIndex([{ ...described('s390x'), size: 3 }]), /has \d+ bytes, not 3/],
  'a manifest that is called an index': [withIndex([described('s390x', {}, types.index)]), /is both a manifest and an index|mediaType is/],
  'an unknown media type': [withIndex([described('s390x', {}, 'text/html')]), /unknown media type "text\/html"/],
  'a manifest that is none': [
    withIndex([{ mediaType: types.manifest, digest: digestOf(broken), size: broken.length }], { members: [broken] }),
    /config is/,
  ],
  'nothing at all': [withIndex([]), /no matching manifest for linux\//],
  'only what the archive has not': [
    withIndex([{ ...described('s390x'), digest: `sha256:${'0'.repeat(64)}` }]),
    /no matching manifest for linux\//,
  ],
  'a platform that is a list': [withIndex([described('s390x', [])]), /platform/],
};
for (const [what, [archive, message]] of Object.entries(refused)) {
  test(`Images.load() refuses an index with ${what}, and leaves nothing`, async () => {
    await using room = RoomUnderTest.open();
    const before = await room.left();
    await assert.rejects(room.load(archive), { code: 'invalid_argument', message });
    assert.deepEqual([await room.left(), room.images.count], [before, 0]);
  });
}
