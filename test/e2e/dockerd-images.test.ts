import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { collected, RoomUnderTest } from '../integration/images/room.ts';
import { busyboxLayer } from '../support/images/busybox.ts';
import type { Daemon } from '../support/engine/daemon.ts';
import { dockerCli } from '../support/clients/docker-cli.ts';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import { DockerdHouse } from '../support/clients/dockerd.ts';
import { prepareDockerd } from '../support/clients/dockerd-root.ts';
import { digestOf, makeImage } from '../support/images/image-archive.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { configOf, manifestOf, served, small, types } from '../support/plugins/served-image.ts';

const missing = prepareDockerd();
inNamespaces(import.meta.url, { cgroups: 'v1', missing: missing === undefined ? undefined : `needs dockerd (${missing})` });

const options = { timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'dockerd-images-'));
let house: DockerdHouse;
let dockerd: Daemon;
let registry: Awaited<ReturnType<typeof dockerRegistry>>;
const { docker, both } = dockerCli(() => dockerd);
before(async () => {
  house = await DockerdHouse.open();
  dockerd = await house.start({ folder: join(folder, 'engine') });
  registry = await dockerRegistry(join(folder, 'registry'));
});
after(async () => {
  await registry[Symbol.asyncDispose]();
  await dockerd[Symbol.asyncDispose]();
  house[Symbol.dispose]();
});

const layers = [busyboxLayer(), small('above')];
/** Told by its exit code: a busy dockerd may lose the output of what ends at once. */
const reads = ['grep', '-q', 'this is above', '/above'];
const image = makeImage({ reference: 'app:1', layers, config: { Cmd: ['sh'], Labels: { a: 'b' } } });

test("Docker's own daemon loads what we save, and we what it saves, under the same id", options, async () => {
  await using room = RoomUnderTest.open();
  await room.load(image.archive);
  const file = join(folder, 'ours.tar');
  writeFileSync(file, await collected(await room.images.save(['app:1'])));
  assert.equal(await docker('load', '-q', '-i', file), 'Loaded image: app:1');
  assert.equal(await docker('inspect', '-f', '{{.Id}}', 'app:1'), image.imageId);
  await docker('run', '--rm', '--network', 'none', 'app:1', ...reads);
  await docker('tag', 'app:1', 'reg.example:5000/acme/app:2');
  await docker('save', '-o', join(folder, 'theirs.tar'), 'app:1', 'reg.example:5000/acme/app:2');
  await using other = RoomUnderTest.open();
  const loaded = await other.load(readFileSync(join(folder, 'theirs.tar')));
  assert.deepEqual(
    loaded.map(({ id, reference }) => [id, reference]),
    [
      [image.imageId, 'app:1'],
      [image.imageId, 'reg.example:5000/acme/app:2'],
    ],
  );
  assert.deepEqual(other.images.inspect('app:1').config.rootfs.diff_ids, image.diffIds);
  await docker('rmi', 'app:1', 'reg.example:5000/acme/app:2');
});

for (const [form, squeeze] of [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const) {
  test(`Docker's own daemon loads an image that we pulled with ${form} and saved as it came`, options, async () => {
    const blobs = layers.map((layer) => squeeze(layer));
    const config = configOf(layers.map(digestOf));
    const manifest = manifestOf(
      config,
      blobs.map((blob) => [`${types.layer}+${form}`, blob] as const),
    );
    await using source = await served({ name: form, blobs: [config, ...blobs], manifest });
    await using room = RoomUnderTest.open();
    await room.images.pull(`${source.host}/acme/${form}:1`, {});
    await room.images.tag(`${source.host}/acme/${form}:1`, `${form}:1`);
    const saved = await collected(await room.images.save([`${form}:1`]));
    for (const blob of blobs) assert.ok(saved.includes(blob));
    const file = join(folder, `${form}.tar`);
    writeFileSync(file, saved);
    assert.equal(await docker('load', '-q', '-i', file), `Loaded image: ${form}:1`);
    assert.equal(await docker('inspect', '-f', '{{.Id}}', `${form}:1`), digestOf(config));
    await docker('run', '--rm', '--network', 'none', `${form}:1`, ...reads);
    await docker('rmi', `${form}:1`);
  });
}

test("what Docker's own daemon pushed we pull, and the other way round, under one digest", options, async () => {
  writeFileSync(join(folder, 'app.tar'), image.archive);
  await docker('load', '-q', '-i', join(folder, 'app.tar'));
  const [theirs, ours] = [`${registry.host}/acme/theirs:1`, `${registry.host}/acme/ours:1`];
  await docker('tag', 'app:1', theirs);
  const pushed = await docker('push', '-q', theirs).then(() => docker('inspect', '-f', '{{index .RepoDigests 0}}', theirs));
  await using room = RoomUnderTest.open();
  await room.images.pull(theirs, {});
  assert.equal(room.images.inspect(theirs).id, image.imageId);
  assert.deepEqual(room.images.inspect(theirs).repoDigests, [pushed]);
  await room.images.tag(theirs, ours);
  await room.images.push(ours, {});
  await docker('rmi', theirs, 'app:1');
  await docker('pull', '-q', ours);
  assert.equal(await docker('inspect', '-f', '{{.Id}}', ours), image.imageId);
  const [, digest = ''] = pushed.split('@');
  assert.equal(await docker('inspect', '-f', '{{index .RepoDigests 0}}', ours), `${registry.host}/acme/ours@${digest}`);
  const { stdout } = await both('pull', ours);
  assert.match(stdout, /Image is up to date/);
  await docker('rmi', ours);
});

test('what one exports the other imports', options, async () => {
  writeFileSync(join(folder, 'app.tar'), image.archive);
  await docker('load', '-q', '-i', join(folder, 'app.tar'));
  const id = await docker('create', '--network', 'none', 'app:1');
  await docker('export', '-o', join(folder, 'exported.tar'), id);
  await docker('rm', id);
  await using room = RoomUnderTest.open();
  const tar = (async function* () {
    yield readFileSync(join(folder, 'exported.tar'));
  })();
  await room.images.import({ tar, reference: 'imported:1', changes: [`CMD ${JSON.stringify(reads)}`] });
  const file = join(folder, 'imported.tar');
  writeFileSync(file, await collected(await room.images.save(['imported:1'])));
  await docker('load', '-q', '-i', file);
  await docker('run', '--rm', '--network', 'none', 'imported:1');
});
