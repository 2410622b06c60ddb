import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { dockerRegistry } from '../../support/servers/docker-registry.ts';
import { digestOf, makeImage } from '../../support/images/image-archive.ts';
import { type IndexedImage, indexedImage, manifestAt, putIndex } from '../../support/images/indexed-image.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { architecture, small, types } from '../../support/plugins/served-image.ts';
import { RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

const folder = mkdtempSync(join(tmpdir(), 'registry-'));
const first = indexedImage('first');
const second = indexedImage('second');
let registry: Awaited<ReturnType<typeof dockerRegistry>>;
let name: string;
before(async () => {
  registry = await dockerRegistry(folder);
  name = `${registry.host}/acme/app:1`;
  await putIndex(registry.host, first, '1');
  await putIndex(registry.host, second, '2');
});
after(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const idOf = (image: IndexedImage, of: string): string => image.parts.get(of)?.id ?? '';
const own = idOf(first, architecture);
const [s390x, riscv64] = [idOf(first, 's390x'), idOf(first, 'riscv64')];
const platform = (of: string) => ({ platform: `linux/${of}` });
const never = { force: false, prune: true };

/** With these platforms of an image, in this order. */
async function roomWith(...platforms: readonly string[]): Promise<RoomUnderTest> {
  const room = RoomUnderTest.open();
  for (const each of platforms) await room.images.pull(name, platform(each));
  room.takeEvents();
  return room;
}

const listed = async ({ images }: RoomUnderTest) =>
  (await images.list({ all: true })).map(({ id, repoTags, repoDigests }) => ({ id, repoTags, repoDigests }));

test('Images.pull() adds a platform to a name, which prefers the machine’s own', async () => {
  await using room = await roomWith('s390x');
  assert.equal(room.images.inspect(name).id, s390x);
  await room.images.pull(name, platform('riscv64'));
  assert.equal(room.images.inspect(name).id, riscv64, 'what came last');
  await room.images.pull(name, {});
  assert.equal(room.images.inspect(name).id, own);
  await room.images.pull(name, platform('s390x'));
  const repoDigests = [`${registry.host}/acme/app@${first.indexDigest}`];
  assert.deepEqual(await listed(room), [{ id: own, repoTags: [name], repoDigests }]);
  for (const [arch, id] of [
    ['s390x', s390x],
    ['riscv64', riscv64],
    [architecture, own],
  ] as const) {
    const shown = room.images.inspect(name, platform(arch));
    assert.deepEqual([shown.id, shown.repoTags, shown.repoDigests], [id, [name], repoDigests]);
    assert.equal(room.images.resolve(name, `linux/${arch}`).id, id);
    assert.equal(room.images.history(name, platform(arch)).length, 0);
  }
  assert.throws(() => room.images.resolve(name, 'linux/arm/v7'), {
    code: 'not_found',
    message: `image with reference ${name} was found but its platforms (linux/${architecture}, linux/riscv64, linux/s390x) do not match the specified platform (linux/arm/v7)`,
  });
});

test('Images.pull() of what is here for the platform fetches nothing, and says so', async () => {
  await using room = await roomWith(architecture, 's390x');
  for (const arch of [architecture, 's390x']) {
    const lines: string[] = [];
    await room.images.pull(name, { ...platform(arch), onProgress: ({ status = '' }) => lines.push(status) });
    assert.deepEqual(lines, [`Pulling from acme/app`, `Digest: ${first.indexDigest}`, `Status: Image is up to date for ${name}`]);
  }
  const lines: string[] = [];
  await room.images.pull(name, { ...platform('riscv64'), onProgress: ({ status = '' }) => lines.push(status) });
  assert.equal(lines.at(-1), `Status: Downloaded newer image for ${name}`);
});

test('Images.pull() of a name that became another index replaces all its platforms', async () => {
  await using room = await roomWith(architecture, 's390x');
  const moving = `${registry.host}/acme/app:moving`;
  await putIndex(registry.host, first, 'moving');
  await room.images.pull(moving, {});
  await putIndex(registry.host, second, 'moving');
  await room.images.pull(moving, platform('s390x'));
  assert.deepEqual(room.images.inspect(moving).id, idOf(second, 's390x'));
  assert.throws(() => room.images.resolve(moving, `linux/${architecture}`), { code: 'not_found' });
  assert.equal(room.images.resolve(name, 'linux/s390x').id, s390x, 'the other name keeps what it had');
  await putIndex(registry.host, first, 'moving');
  await room.images.pull(moving, platform('s390x'));
  assert.equal(room.images.inspect(moving).id, own, 'an index means all that is here of it');
});

test('Images.tag() gives a name to all platforms, and an id to one', async () => {
  await using room = await roomWith(architecture, 's390x');
  await room.images.tag(name, 'all:1');
  await room.images.tag(s390x, 'one:1');
  assert.equal(room.images.resolve('all:1', 'linux/s390x').id, s390x);
  assert.equal(room.images.resolve('one:1').id, s390x);
  assert.throws(() => room.images.resolve('one:1', `linux/${architecture}`), { code: 'not_found' });
  await room.images.pull(name, platform('riscv64'));
  assert.equal(room.images.resolve('all:1', 'linux/riscv64').id, riscv64);
});

test('Images.manifests() tells of every platform of the index whether it is here', async () => {
  await using room = await roomWith(architecture, 's390x');
  const shown = room.images.manifests(name).map(({ isHere, platform: of, descriptor }) => [of.architecture, isHere, descriptor.digest]);
  assert.deepEqual(
    shown,
    [...first.parts].map(([of, { manifest }]) => [of, of !== 'riscv64', digestOf(manifest)]),
  );
  assert.deepEqual(
    room.images.manifests(own).map(({ isHere }) => isHere),
    [true],
  );
});

test('Images.remove() of a name takes all its platforms, and leaves nothing', async () => {
  await using room = await roomWith();
  const untouched = await room.left();
  for (const given of [name, own]) {
    for (const arch of [architecture, 's390x', 'riscv64']) await room.images.pull(name, platform(arch));
    const records = await room.images.remove(given, never);
    const digest = `${registry.host}/acme/app@${first.indexDigest}`;
    const untagged = records.flatMap((record) => record.untagged ?? []);
    assert.deepEqual(untagged.toSorted(), [name, digest].toSorted());
    const deleted = new Set(records.flatMap((record) => record.deleted ?? []));
    for (const id of [own, s390x, riscv64]) assert.ok(deleted.has(id), `${given}: ${id}`);
    assert.equal(room.images.count, 0);
    assert.deepEqual(await room.left(), untouched);
  }
});

test('Images.remove() of some platforms keeps the name for the others, and takes it with the last', async () => {
  await using room = await roomWith(architecture, 's390x', 'riscv64');
  await room.images.tag(name, 'all:1');
  assert.deepEqual(
    (await room.images.remove(name, { ...never, platforms: [`linux/${architecture}`] })).map(({ untagged }) => untagged).filter(Boolean),
    [],
  );
  assert.notEqual(room.images.inspect(name).id, own);
  await assert.rejects(room.images.remove(name, { ...never, platforms: [`linux/${architecture}`] }), { code: 'not_found' });
  await room.images.remove(s390x, never);
  assert.deepEqual([room.images.inspect(name).id, room.images.inspect('all:1').id, room.images.count], [riscv64, riscv64, 1]);
  await room.images.remove('all:1', never);
  const records = await room.images.remove(name, { ...never, platforms: ['linux/riscv64'] });
  assert.deepEqual(records[0], { untagged: name });
  assert.equal(room.images.count, 0);
});

test('Images.remove() refuses what a container of any platform uses, and a platform that has names of its own', async () => {
  await using room = await roomWith(architecture, 's390x');
  room.users.set(s390x, [{ id: 'c'.repeat(64), running: false }]);
  const shown = await listed(room);
  for (const [given, platforms, message] of [
    [name, undefined, /is using its referenced image/],
    [own, undefined, /must be forced.*is being used by stopped container/],
    [name, ['linux/s390x'], /must be forced.*is being used by stopped container/],
    [s390x, undefined, /must be forced.*is being used by stopped container/],
  ] as const) {
    await assert.rejects(room.images.remove(given, { ...never, ...(platforms && { platforms }) }), { code: 'conflict', message });
  }
  room.users.set(s390x, [{ id: 'c'.repeat(64), running: true }]);
  for (const given of [own, s390x]) {
    await assert.rejects(room.images.remove(given, { force: true, prune: true }), { code: 'conflict', message: /cannot be forced/ });
  }
  room.users.clear();
  await room.images.tag(s390x, 'mine:1');
  await assert.rejects(room.images.remove(name, { ...never, platforms: ['linux/s390x'] }), {
    code: 'conflict',
    message: /referenced in multiple repositories/,
  });
  assert.deepEqual(
    (await listed(room)).filter(({ id }) => id === own),
    shown,
  );
  const forced = await room.images.remove(name, { force: true, prune: true, platforms: ['linux/s390x'] });
  assert.deepEqual(forced[0], { untagged: 'mine:1' });
});

test('Images.prune() keeps all platforms of a name as long as one is used, and takes those of a name that moved on', async () => {
  await using room = await roomWith(architecture, 's390x');
  room.users.set(s390x, [{ id: 'c'.repeat(64), running: false }]);
  assert.deepEqual((await room.images.prune({ filters: { dangling: ['false'] } })).deleted, []);
  room.users.clear();
  await putIndex(registry.host, second, 'moves');
  const moving = `${registry.host}/acme/app:moves`;
  await room.images.pull(moving, {});
  await room.images.tag(moving, name);
  const { deleted } = await room.images.prune({});
  assert.deepEqual(new Set(deleted.flatMap((record) => (record.deleted?.startsWith('sha256:') ? [record.deleted] : []))).has(s390x), true);
  assert.deepEqual(
    (await listed(room)).map(({ id }) => id),
    [idOf(second, architecture)],
  );
  await room.images.prune({ filters: { dangling: ['false'] } });
  assert.equal(room.images.count, 0);
});

test('what a name means is the same after a start', async () => {
  const root = mkdtempSync(join(tmpdir(), 'images-'));
  const seen = async (room: RoomUnderTest) => ({
    list: await listed(room),
    manifests: room.images.manifests(name),
    count: room.images.count,
  });
  try {
    let earlier: unknown;
    {
      await using room = RoomUnderTest.open({ root });
      for (const arch of ['s390x', architecture, 'riscv64']) await room.images.pull(name, platform(arch));
      await room.images.remove(name, { ...never, platforms: ['linux/riscv64'] });
      earlier = await seen(room);
    }
    await using room = RoomUnderTest.open({ root });
    assert.deepEqual(await seen(room), earlier);
    await room.images.remove(name, { ...never, platforms: [`linux/${architecture}`] });
    assert.equal(room.images.inspect(name).id, s390x);
    assert.deepEqual(await room.images.collect(), []);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test('a store from before indexes were kept learns of one with the next pull', async () => {
  const root = mkdtempSync(join(tmpdir(), 'images-'));
  try {
    {
      await using room = RoomUnderTest.open({ root });
      await room.images.pull(name, {});
    }
    const store = new DatabaseSync(join(root, 'data', 'metadata.db'));
    store.exec('UPDATE image_refs SET index_digest = NULL; DELETE FROM image_indexes; DELETE FROM index_images');
    store.close();
    await using room = RoomUnderTest.open({ root });
    assert.deepEqual(room.images.manifests(name).length, 1);
    const lines: string[] = [];
    await room.images.pull(name, { onProgress: ({ status = '' }) => lines.push(status) });
    assert.equal(lines.at(-1), `Status: Image is up to date for ${name}`);
    assert.equal(room.images.manifests(name).length, 3);
    await room.images.pull(name, platform('s390x'));
    assert.deepEqual([room.images.inspect(name).id, room.images.resolve(name, 'linux/s390x').id], [own, s390x]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test('Images.push() of all platforms of an index makes the same index elsewhere', async () => {
  await using room = await roomWith(architecture, 's390x', 'riscv64');
  const there = `${registry.host}/acme/elsewhere:1`;
  await room.images.tag(name, there);
  const aux = await auxOf(room, there);
  assert.deepEqual(aux, [{ Tag: '1', Digest: first.indexDigest, Size: first.index.length }]);
  assert.deepEqual((await manifestAt(registry.host, '1', 'acme/elsewhere'))?.bytes, first.index);
  assert.ok(room.images.inspect(there).repoDigests.includes(`${registry.host}/acme/elsewhere@${first.indexDigest}`));
  await using other = RoomUnderTest.open();
  for (const arch of [architecture, 's390x', 'riscv64']) {
    await other.images.pull(there, platform(arch));
    assert.equal(other.images.inspect(there, platform(arch)).id, idOf(first, arch));
  }
});

test('Images.push() of some platforms makes what is here: a manifest of one, an index of several', async () => {
  await using room = await roomWith('s390x');
  const there = `${registry.host}/acme/partial:1`;
  await room.images.tag(name, there);
  const digest = digestOf(first.parts.get('s390x')?.manifest ?? Buffer.alloc(0));
  const size = first.parts.get('s390x')?.manifest.length;
  assert.deepEqual(await auxOf(room, there), [
    {
      manifestPushedInsteadOfIndex: true,
      originalIndex: { mediaType: types.index, digest: first.indexDigest, size: first.index.length },
      selectedManifest: { mediaType: types.manifest, digest, size },
    },
    { Tag: '1', Digest: digest, Size: size },
  ]);
  assert.equal((await manifestAt(registry.host, '1', 'acme/partial'))?.digest, digest);
  await room.images.pull(name, {});
  const lines: string[] = [];
  await room.images.push(there, { onProgress: ({ status = '' }) => lines.push(status) });
  assert.ok(
    lines.some((line) => /^Not all that the index of .* names is here: one of .* is pushed$/.test(line)),
    lines.join('\n'),
  );
  const made = await manifestAt(registry.host, '1', 'acme/partial');
  const { manifests } = JSON.parse(made?.bytes.toString() ?? '') as { manifests: { digest: string; platform: { architecture: string } }[] };
  assert.deepEqual(manifests.map((each) => each.platform.architecture).toSorted(), [architecture, 's390x'].toSorted());
  assert.ok(room.images.inspect(there).repoDigests.includes(`${registry.host}/acme/partial@${made?.digest}`));
});

test('Images.push() of some platforms keeps the index where the registry has the others', async () => {
  await using room = await roomWith('s390x');
  assert.deepEqual(await auxOf(room, name), [{ Tag: '1', Digest: first.indexDigest, Size: first.index.length }]);
  assert.equal((await manifestAt(registry.host, '1'))?.digest, first.indexDigest);
});

test('Images.push() for a platform makes its manifest what the tag is', async () => {
  await using room = await roomWith(architecture, 's390x');
  const there = `${registry.host}/acme/one:1`;
  await room.images.tag(name, there);
  await assert.rejects(room.images.push(there, platform('riscv64')), { code: 'not_found' });
  assert.equal(await manifestAt(registry.host, '1', 'acme/one'), undefined);
  await room.images.push(there, platform('s390x'));
  const digest = digestOf(first.parts.get('s390x')?.manifest ?? Buffer.alloc(0));
  assert.equal((await manifestAt(registry.host, '1', 'acme/one'))?.digest, digest);
  assert.ok(room.images.inspect(s390x).repoDigests.includes(`${registry.host}/acme/one@${digest}`));
  assert.deepEqual(room.images.inspect(there).id, own, 'here the name means what it meant');
});

async function auxOf(room: RoomUnderTest, reference: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const told: Readonly<Record<string, unknown>>[] = [];
  await room.images.push(reference, { onProgress: ({ aux }) => aux !== undefined && told.push(aux as Readonly<Record<string, unknown>>) });
  return told;
}

test('Images.pull() takes of a platform that an index lists twice the first, and what is no image not at all', async () => {
  const some = indexedImage('listed', { of: ['s390x', 'riscv64', architecture] });
  const { manifest = Buffer.alloc(0) } = some.parts.get('riscv64') ?? {};
  const again = { mediaType: types.manifest, digest: digestOf(manifest), size: manifest.length };
  const doubled = indexedImage('listed', {
    of: ['s390x', architecture],
    also: [
      { ...again, platform: { os: 'linux', architecture: 's390x' } },
      {
        ...again,
        platform: { os: 'unknown', architecture: 'unknown' },
        annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
      },
    ],
  });
  await putIndex(registry.host, some, 'some');
  await putIndex(registry.host, doubled, 'listed');
  await using room = RoomUnderTest.open();
  const twice = `${registry.host}/acme/app:listed`;
  for (const arch of ['s390x', architecture]) await room.images.pull(twice, platform(arch));
  assert.deepEqual(
    ['s390x', architecture].map((arch) => room.images.inspect(twice, platform(arch)).id),
    ['s390x', architecture].map((arch) => idOf(doubled, arch)),
  );
  await assert.rejects(room.images.pull(twice, platform('riscv64')), {
    code: 'not_found',
    message: /no matching manifest for linux\/riscv64/,
  });
  // Its own repository has the attestation, another one has not.
  assert.deepEqual((await auxOf(room, twice)).at(-1)?.['Digest'], doubled.indexDigest);
  await room.images.tag(twice, `${registry.host}/acme/without:1`);
  await room.images.push(`${registry.host}/acme/without:1`, {});
  const { manifests } = JSON.parse((await manifestAt(registry.host, '1', 'acme/without'))?.bytes.toString() ?? '') as {
    manifests: object[];
  };
  assert.equal(manifests.length, 2);
});

test('Images.tagAll() names images together, as an index that is saved, pushed and removed as one', async () => {
  await using room = RoomUnderTest.open();
  const untouched = await room.left();
  const images = ['s390x', architecture].map((arch) => makeImage({ layers: [small(`built ${arch}`)], architecture: arch }));
  for (const { archive } of images) await room.load(archive);
  const there = `${registry.host}/acme/built:1`;
  await room.images.tagAll(
    images.map(({ imageId }) => imageId),
    there,
  );
  assert.equal(room.images.inspect(there).id, images[1]?.imageId);
  assert.deepEqual(
    room.images.manifests(there).map(({ isHere, descriptor }) => [isHere, descriptor.digest]),
    images.map(({ manifestDigest }) => [true, manifestDigest]),
  );
  const lines: string[] = [];
  await room.images.push(there, { onProgress: ({ status = '' }) => lines.push(status) });
  assert.ok(!lines.some((line) => line.startsWith('Not all')), lines.join('\n'));
  const { manifests } = JSON.parse((await manifestAt(registry.host, '1', 'acme/built'))?.bytes.toString() ?? '') as {
    manifests: { platform: { architecture: string } }[];
  };
  assert.deepEqual(manifests.map((each) => each.platform.architecture).toSorted(), [architecture, 's390x'].toSorted());
  const chunks: Buffer[] = [];
  for await (const chunk of await room.images.save([there])) chunks.push(Buffer.from(chunk));
  await room.images.remove(there, never);
  assert.deepEqual([await room.left(), room.images.count], [untouched, 0]);
  await room.load(Buffer.concat(chunks));
  assert.equal(room.images.inspect(there, platform('s390x')).id, images[0]?.imageId);
});

test('an archive of one platform is completed by a pull', async () => {
  await using room = await roomWith('s390x');
  const chunks: Buffer[] = [];
  for await (const chunk of await room.images.save([name])) chunks.push(Buffer.from(chunk));
  await using other = RoomUnderTest.open();
  await other.load(Buffer.concat(chunks));
  assert.equal(other.images.manifests(name).length, 1);
  await other.images.pull(name, {});
  assert.deepEqual([other.images.inspect(name).id, other.images.inspect(name, platform('s390x')).id], [own, s390x]);
});

test('the registry has the index as it was', async () => {
  assert.equal((await manifestAt(registry.host, '1'))?.digest, first.indexDigest);
});
