import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import type { ImageConfig } from '@gantry/sdk/engine';
import { busyboxLayer } from '../../support/images/busybox.ts';
import { dockerRegistry } from '../../support/servers/docker-registry.ts';
import { digestOf, makeImage } from '../../support/images/image-archive.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { configOf, manifestOf as ociManifestOf, served, small, types } from '../../support/plugins/served-image.ts';
import { collected, RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

/** Names as the tools write them: all of them complete "acme/app" in a way of its own. */
const name = 'reg.example/acme/app:1';
const image = makeImage({
  reference: name,
  layers: [busyboxLayer(), small('above')],
  config: { Cmd: ['sh'], Env: ['A=b'], Labels: { colour: 'red' }, WorkingDir: '/tmp', ExposedPorts: { '80/tcp': {} } },
});
const folder = mkdtempSync(join(tmpdir(), 'interop-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let places = 0;
const place = (): string => join(folder, String((places += 1)));

const needs = (...tools: readonly string[]) => {
  const missing = tools.filter((tool) => spawnSync(tool, ['--version']).status !== 0);
  return { skip: missing.length === 0 ? false : `needs ${missing.join(', ')}`, timeout: 120_000 };
};

function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, TMPDIR: folder } });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

/** What Gantry saves of the image. */
async function saved(): Promise<string> {
  await using room = RoomUnderTest.open();
  await room.load(image.archive);
  const path = place();
  writeFileSync(path, await collected(await room.images.save([name])));
  return path;
}

interface Found {
  readonly id: string;
  readonly names: readonly string[];
  readonly config: ImageConfig;
}

async function loaded(archive: string): Promise<Found> {
  await using room = RoomUnderTest.open();
  await room.load(readFileSync(archive));
  const [found] = await room.images.list({});
  assert.ok(found !== undefined);
  return { id: found.id, names: found.repoTags, config: found.config };
}

/** The image came through: the same layers, and the same instructions for who runs it. */
function isTheSame({ config }: Found): void {
  assert.deepEqual(config.rootfs.diff_ids, image.diffIds);
  const { Cmd, Env, Labels, WorkingDir, ExposedPorts } = config.config ?? {};
  assert.deepEqual(
    { Cmd, Env, Labels, WorkingDir, ExposedPorts },
    { Cmd: ['sh'], Env: ['A=b'], Labels: { colour: 'red' }, WorkingDir: '/tmp', ExposedPorts: { '80/tcp': {} } },
  );
}

for (const kind of ['docker-archive', 'oci-archive'] as const) {
  test(`skopeo reads what Gantry saved as ${kind}, and Gantry what skopeo wrote`, needs('skopeo'), async () => {
    const from = kind === 'docker-archive' ? `${kind}:${await saved()}:${name}` : `${kind}:${await saved()}`;
    const config = JSON.parse(run('skopeo', 'inspect', '--config', from)) as { readonly rootfs: { readonly diff_ids: readonly string[] } };
    assert.deepEqual(config.rootfs.diff_ids, image.diffIds);
    for (const to of [`docker-archive:${place()}:${name}`, `oci-archive:${place()}:${name}`]) {
      run('skopeo', 'copy', '--quiet', from, to);
      const found = await loaded(to.split(':')[1] ?? '');
      isTheSame(found);
      assert.deepEqual(found.names, [name]);
    }
  });
}

test('a folder with an OCI layout that skopeo made is loaded as its tar', needs('skopeo'), async () => {
  const layout = place();
  run('skopeo', 'copy', '--quiet', `oci-archive:${await saved()}`, `oci:${layout}:${name}`);
  const archive = place();
  run('tar', '-cf', archive, '-C', layout, '.');
  isTheSame(await loaded(archive));
});

test('podman loads what Gantry saved, under the same id, and Gantry what podman saved', needs('podman'), async () => {
  const podman = podmanIn(place());
  podman('load', '--quiet', '--input', await saved());
  assert.equal(podman('images', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}'), `${name} ${image.imageId}`);
  for (const format of ['docker-archive', 'oci-archive']) {
    const archive = place();
    podman('save', '--quiet', '--format', format, '--output', archive, name);
    const found = await loaded(archive);
    isTheSame(found);
    assert.deepEqual(found.names, [name]);
    if (format === 'docker-archive') assert.equal(found.id, image.imageId);
  }
});

test('umoci unpacks what Gantry saved, and Gantry loads what umoci added to it', needs('umoci'), async () => {
  const layout = place();
  mkdirSync(layout);
  run('tar', '-xf', await saved(), '-C', layout);
  const [tag = ''] = run('umoci', 'list', '--layout', layout).split('\n');
  const bundle = place();
  run('umoci', 'unpack', '--image', `${layout}:${tag}`, bundle);
  assert.equal(readFileSync(join(bundle, 'rootfs/above'), 'utf8'), 'this is above');
  writeFileSync(join(bundle, 'rootfs/added'), 'by umoci');
  run('umoci', 'repack', '--image', `${layout}:${tag}`, bundle);
  const archive = place();
  run('tar', '-cf', archive, '-C', layout, 'oci-layout', 'index.json', 'blobs');
  const { config } = await loaded(archive);
  assert.deepEqual(config.rootfs.diff_ids.slice(0, 2), image.diffIds);
  assert.equal(config.rootfs.diff_ids.length, 3);
});

for (const compression of ['gzip', 'zstd'] as const) {
  test(
    `an image that skopeo pushed with ${compression} is pulled, and one that Gantry pushed skopeo copies`,
    needs('skopeo', 'docker-registry'),
    async () => {
      await using registry = await dockerRegistry(place());
      const there = `${registry.host}/acme/app`;
      const compress = ['--dest-compress', '--dest-compress-format', compression, '--format', 'oci', '--dest-tls-verify=false'];
      run('skopeo', 'copy', '--quiet', ...compress, `docker-archive:${await saved()}:${name}`, `docker://${there}:1`);
      await using room = RoomUnderTest.open();
      await room.images.pull(`${there}:1`, {});
      const { id, config } = room.images.inspect(`${there}:1`);
      isTheSame({ id, config, names: [] });
      const digest = (await manifestOf(`${there}:1`)).layers.at(-1)?.digest ?? '';
      const bytes = Buffer.from(await (await fetch(`http://${registry.host}/v2/acme/app/blobs/${digest}`)).arrayBuffer());
      const plain = compression === 'gzip' ? gunzipSync(bytes) : zstdDecompressSync(bytes);
      assert.ok(plain.equals(small('above')));
      // The same image under another name goes as it came, under the digest that it had.
      await room.images.tag(`${there}:1`, `${registry.host}/acme/again:2`);
      await room.images.push(`${registry.host}/acme/again:2`, {});
      const again = `docker://${registry.host}/acme/again:2`;
      assert.equal((await manifestOf(`${registry.host}/acme/again:2`)).digest, (await manifestOf(`${there}:1`)).digest);
      const copy = place();
      run('skopeo', 'copy', '--quiet', '--src-tls-verify=false', again, `oci-archive:${copy}:${name}`);
      assert.equal((await loaded(copy)).id, id);
    },
  );
}

test(
  'podman, skopeo and umoci read an image that was pulled compressed and saved as it came',
  needs('skopeo', 'podman', 'umoci'),
  async () => {
    const layers = [busyboxLayer(), small('above')];
    const blobs = layers.map((layer) => gzipSync(layer));
    const config = configOf(layers.map(digestOf));
    const manifest = ociManifestOf(
      config,
      blobs.map((blob) => [`${types.layer}+gzip`, blob] as const),
    );
    await using source = await served({ name: 'app', blobs: [config, ...blobs], manifest });
    await using room = RoomUnderTest.open();
    await room.images.pull(`${source.host}/acme/app:1`, {});
    await room.images.tag(`${source.host}/acme/app:1`, name);
    const archive = place();
    writeFileSync(archive, await collected(await room.images.save([name])));
    for (const from of [`docker-archive:${archive}:${name}`, `oci-archive:${archive}`]) {
      const copy = place();
      run('skopeo', 'copy', '--quiet', from, `docker-archive:${copy}:${name}`);
      assert.equal((await loaded(copy)).id, digestOf(config));
    }
    assert.equal(run('skopeo', 'inspect', '--format', '{{.Digest}}', `oci-archive:${archive}`), digestOf(manifest));
    const podman = podmanIn(place());
    podman('load', '--quiet', '--input', archive);
    assert.equal(podman('images', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}'), `${name} ${digestOf(config)}`);
    const layout = place();
    mkdirSync(layout);
    run('tar', '-xf', archive, '-C', layout);
    const [tag = ''] = run('umoci', 'list', '--layout', layout).split('\n');
    const bundle = place();
    run('umoci', 'unpack', '--image', `${layout}:${tag}`, bundle);
    assert.equal(readFileSync(join(bundle, 'rootfs/above'), 'utf8'), 'this is above');
  },
);

/** podman with images of its own, below a folder. */
function podmanIn(store: string): (...args: readonly string[]) => string {
  mkdirSync(store);
  const own = ['--root', join(store, 'root'), '--runroot', join(store, 'run'), '--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs'];
  return (...args) => run('podman', ...own, ...args);
}

async function manifestOf(reference: string) {
  const text = run('skopeo', 'inspect', '--tls-verify=false', '--raw', `docker://${reference}`);
  const digest = run('skopeo', 'inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${reference}`);
  const { layers } = JSON.parse(text) as { readonly layers: readonly { readonly digest: string; readonly mediaType: string }[] };
  return { digest, layers };
}
