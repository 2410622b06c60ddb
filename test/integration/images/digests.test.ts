import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { dockerRegistry } from '../../support/servers/docker-registry.ts';
import { digestOf, makeImage } from '../../support/images/image-archive.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { configOf, manifestOf, served, small, types } from '../../support/plugins/served-image.ts';
import { collected, RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

const folder = mkdtempSync(join(tmpdir(), 'digests-'));
let registry: Awaited<ReturnType<typeof dockerRegistry>>;
before(async () => {
  registry = await dockerRegistry(folder);
});
after(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const layers = [small('below'), small('above')];
const config = configOf(layers.map(digestOf));
const docker = 'application/vnd.docker.distribution.manifest.v2+json';
/** As registries hold it: media types of OCI and of Docker, layers in all forms, and two forms in one image. */
const forms: Readonly<Record<string, { readonly blobs: readonly Buffer[]; readonly manifest: Buffer; readonly mediaType: string }>> = {
  gzip: inOci(layers.map((layer) => [`${types.layer}+gzip`, gzipSync(layer)] as const)),
  zstd: inOci(layers.map((layer) => [`${types.layer}+zstd`, zstdCompressSync(layer)] as const)),
  plain: inOci(layers.map((layer) => [types.layer, layer] as const)),
  mixed: inOci([
    [types.layer, layers[0] ?? Buffer.alloc(0)],
    [`${types.layer}+zstd`, zstdCompressSync(layers[1] ?? Buffer.alloc(0))],
  ]),
  "Docker's": inDocker(layers.map((layer) => gzipSync(layer))),
};

function inOci(blobs: readonly (readonly [string, Buffer])[]) {
  // An annotation, so that no two tools would write it alike by chance.
  const document = { ...(JSON.parse(manifestOf(config, blobs).toString()) as object), annotations: { made: 'elsewhere' } };
  return { blobs: blobs.map(([, blob]) => blob), manifest: Buffer.from(JSON.stringify(document, null, 1)), mediaType: types.manifest };
}

function inDocker(blobs: readonly Buffer[]) {
  const described = (mediaType: string, bytes: Buffer) => ({ mediaType, size: bytes.length, digest: digestOf(bytes) });
  const manifest = {
    schemaVersion: 2,
    mediaType: docker,
    config: described('application/vnd.docker.container.image.v1+json', config),
    layers: blobs.map((blob) => described('application/vnd.docker.image.rootfs.diff.tar.gzip', blob)),
  };
  return { blobs, manifest: Buffer.from(JSON.stringify(manifest, null, 3)), mediaType: docker };
}

let count = 0;
const ways = {
  /** Through an archive into an engine of its own. */
  archive: async (from: RoomUnderTest, name: string): Promise<RoomUnderTest> => {
    const saved = await collected(await from.images.save([name]));
    assert.ok(saved.equals(await collected(await from.images.save([name]))), 'two archives of one image differ');
    const to = RoomUnderTest.open();
    await to.load(saved);
    return to;
  },
  /** Through a repository of its own. */
  registry: async (from: RoomUnderTest, name: string): Promise<RoomUnderTest> => {
    const there = `${registry.host}/acme/app${(count += 1)}:1`;
    await from.images.tag(name, there);
    await from.images.push(there, {});
    const to = RoomUnderTest.open();
    await to.images.pull(there, {});
    await to.images.tag(there, name);
    return to;
  },
} as const;
const orders: readonly (readonly (keyof typeof ways)[])[] = [
  ['archive', 'registry', 'archive', 'registry'],
  ['registry', 'archive', 'archive', 'registry'],
];

/** What the registry has after the image has gone all these ways. */
async function arriving(from: RoomUnderTest, name: string, order: readonly (keyof typeof ways)[]) {
  await using rooms = new AsyncDisposableStack();
  let room = from;
  for (const way of order) room = rooms.use(await ways[way](room, name));
  const { id, config: found, repoDigests } = room.images.inspect(name);
  return { id, diffIds: found.rootfs.diff_ids, manifests: repoDigests.map((text) => text.split('@')[1]) };
}

for (const [form, { blobs, manifest, mediaType }] of Object.entries(forms)) {
  for (const order of orders) {
    test(`an image of ${form} layers keeps the digests of config, layers and manifest by ${order.join(', ')}`, async () => {
      await using source = await served({ name: 'app', blobs: [config, ...blobs], manifest, mediaType });
      await using room = RoomUnderTest.open();
      await room.images.pull(`${source.host}/acme/app:1`, {});
      await room.images.tag(`${source.host}/acme/app:1`, 'app:1');
      assert.deepEqual(await arriving(room, 'app:1', order), {
        id: digestOf(config),
        diffIds: layers.map(digestOf),
        manifests: [digestOf(manifest)],
      });
    });
  }
}

test('an image that was loaded has one digest from its first push on, and its layers go compressed', async () => {
  await using room = RoomUnderTest.open();
  const image = makeImage({ reference: 'app:1', layers });
  await room.load(image.archive);
  const first = await arriving(room, 'app:1', ['registry']);
  const later = await arriving(room, 'app:1', ['registry', 'archive', 'registry']);
  assert.deepEqual(later, first);
  assert.deepEqual([first.id, first.diffIds], [image.imageId, image.diffIds]);
  const [digest = ''] = first.manifests;
  const accept = types.manifest;
  const document = await (
    await fetch(`http://${registry.host}/v2/acme/app${count}/manifests/${digest}`, { headers: { accept, connection: 'close' } })
  ).json();
  assert.deepEqual(
    (document as { readonly layers: readonly { readonly mediaType: string }[] }).layers.map((layer) => layer.mediaType),
    layers.map(() => `${types.layer}+gzip`),
  );
});

test('manifests beside manifest.json count only when they say the same', async () => {
  const { blobs, manifest } = forms['gzip'] ?? assert.fail();
  await using source = await served({ name: 'app', blobs: [config, ...blobs], manifest });
  await using room = RoomUnderTest.open();
  await room.images.pull(`${source.host}/acme/app:1`, {});
  const saved = await collected(await room.images.save([`${source.host}/acme/app:1`]));
  const damaged: readonly (readonly [string, string])[] = [
    ['"mediaType": "application/vnd.oci', '"mediaType": "application/vnd.xxx'],
    ['"made": "elsewhere"', '"made": "elsewhexe"'],
    ['"io.containerd.image.name"', '"io.containerd.image.nam\\"'],
  ];
  for (const [from, to] of damaged) {
    await using other = RoomUnderTest.open();
    const bytes = Buffer.from(saved);
    const at = bytes.indexOf(from);
    assert.ok(at > 0, from);
    bytes.write(to, at);
    const [loaded] = await other.load(bytes);
    assert.equal(loaded?.id, digestOf(config));
    assert.deepEqual(other.images.manifests(digestOf(config)), []);
  }
});
