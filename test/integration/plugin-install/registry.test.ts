import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { codeOf } from '@gantry/sdk';
import { TreeWorkers } from '../../../core/layers/index.ts';
import {
  createFromArchive,
  fetchPlugin,
  type InstallTools,
  offerOf,
  packPlugin,
  parseSource,
  pushPlugin,
} from '../../../core/plugin-install/index.ts';
import { RegistryDriver } from '../../../plugins/transport/registry/driver.ts';
import { settingsOf } from '../../../plugins/transport/registry/settings.ts';
import { dockerRegistry } from '../../support/servers/docker-registry.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { goodManifest, sshfsConfig, writeFiles } from '../../support/plugins/plugin-sources.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';
import { inTurn, type Reply, reply, scriptedRegistry, sha256 } from '../../support/servers/scripted-registry.ts';
import { endOfArchive, entry, header } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url);

const root = mkdtempSync(join(tmpdir(), 'plugins-'));
const plugins = join(root, 'plugins');
mkdirSync(plugins);
const trees = new TreeWorkers();
const driver = new RegistryDriver(settingsOf({ attempts: 1, answerTimeoutMs: 2000, idleTimeoutMs: 300 }));
const tools: InstallTools = {
  drivers: { get: async () => driver as never, preferred: async () => 'registry' },
  trees,
  log: quietLog,
};
let registry: Awaited<ReturnType<typeof dockerRegistry>>;
before(async () => {
  registry = await dockerRegistry(join(root, 'registry'));
});
after(async () => {
  driver[Symbol.dispose]();
  await trees[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});
let count = 0;
const fresh = (): string => join(plugins, String(++count));
const code = { 'gantry-plugin.json': goodManifest, 'main.js': 'export default {}', 'lib/a.js': 'a' };

const rootfs = [
  entry('./config.json', JSON.stringify(sshfsConfig)),
  header({ name: './rootfs/', type: '5', mode: 0o755 }),
  entry('./rootfs/docker-volume-sshfs', '#!/bin/true', { mode: 0o4755, uid: 5 }),
  header({ name: './rootfs/link', type: '2', link: '/docker-volume-sshfs' }),
  header({ name: './rootfs/dev/null', type: '3', device: [1, 3] }),
  entry('./evil.sh', 'x'),
  endOfArchive,
];
async function* archive(...parts: readonly Buffer[]): AsyncIterable<Buffer> {
  yield* parts;
}

test('a plugin of ours goes to a registry and comes back the same, under the same digest, twice', async () => {
  const dir = writeFiles(join(root, 'code'), code);
  const reference = `${registry.host}/acme/nfs:1.4.0`;
  const pushed = await pushPlugin(dir, { reference, scratch: fresh() }, tools);
  const offer = await offerOf(parseSource(reference), fresh(), tools);
  const statuses: string[] = [];
  const fetched = await fetchPlugin(parseSource(`oci:${reference}`), fresh(), tools, { onProgress: ({ status }) => statuses.push(status) });
  assert.deepEqual(
    { digest: fetched.digest, source: fetched.source, manifest: fetched.manifest, offered: offer.digest },
    {
      digest: pushed.digest,
      source: `oci:${registry.host}/acme/nfs:1.4.0@${pushed.digest}`,
      manifest: goodManifest,
      offered: pushed.digest,
    },
  );
  assert.equal(readFileSync(join(fetched.dir, 'lib/a.js'), 'utf8'), 'a');
  assert.deepEqual([statuses[0], statuses.at(-1)], ['Downloading', 'Pull complete']);
  const again = await pushPlugin(fetched.dir, { reference: `${registry.host}/acme/other`, scratch: fresh() }, tools);
  assert.equal(again.digest, pushed.digest);
  const pinned = await fetchPlugin(parseSource(`${registry.host}/acme/other@${again.digest}`), fresh(), tools);
  assert.equal(pinned.digest, pushed.digest);
});

test('a Docker plugin is created from a tar, pushed as Docker does, and installed again with the same digest', async () => {
  const name = `${registry.host}/vieux/sshfs:latest`;
  const created = await createFromArchive(name, archive(...rootfs), fresh(), tools);
  assert.deepEqual(readdirSync(created.dir).toSorted(), ['config.json', 'gantry-plugin.json', 'rootfs']);
  assert.deepEqual(readdirSync(join(created.dir, 'rootfs'), { recursive: true, encoding: 'utf8' }).toSorted(), [
    'dev',
    'docker-volume-sshfs',
    'link',
  ]);
  const { mode, uid } = lstatSync(join(created.dir, 'rootfs/docker-volume-sshfs'));
  assert.deepEqual([mode & 0o7777, uid], [0o555, 0]);
  const { digest } = await pushPlugin(created.dir, { reference: name, scratch: fresh() }, tools);
  assert.equal(digest, created.digest);
  const fetched = await fetchPlugin(parseSource(name), fresh(), tools);
  assert.deepEqual(
    { ...fetched, dir: '' },
    {
      dir: '',
      digest,
      manifest: created.manifest,
      dockerConfig: created.dockerConfig,
      source: `oci:${registry.host}/vieux/sshfs:latest@${digest}`,
    },
  );
  assert.deepEqual(fetched.manifest.provides, [{ contract: 'volume', versions: ['v1'], drivers: [`${registry.host}/vieux/sshfs`] }]);
  const named = await fetchPlugin(parseSource(name), fresh(), tools, { name: 'sshfs:latest' });
  assert.deepEqual(named.manifest.provides[0]?.drivers, ['sshfs']);
  const manifest = JSON.parse(
    await (
      await fetch(`http://${registry.host}/v2/vieux/sshfs/manifests/latest`, {
        headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json', connection: 'close' },
      })
    ).text(),
  ) as ManifestDocument;
  assert.deepEqual(
    [manifest.mediaType, manifest.config.mediaType, manifest.layers[0]?.mediaType],
    [
      'application/vnd.docker.distribution.manifest.v2+json',
      'application/vnd.docker.plugin.v1+json',
      'application/vnd.docker.image.rootfs.diff.tar.gzip',
    ],
  );
});

test('packPlugin() makes the same bytes twice, and what it makes can be installed', async () => {
  const dir = writeFiles(join(root, 'packable'), { ...code, 'node_modules/x/index.js': '' });
  for (const format of ['npm', 'oci', 'docker'] as const) {
    const outs = [join(root, `a.${format}.tar`), join(root, `b.${format}.tar`)];
    for (const out of outs) await packPlugin(dir, { format, out }, tools);
    const [a = Buffer.alloc(0), b] = outs.map((out) => readFileSync(out));
    assert.deepEqual(a, b, format);
  }
  renameSync(join(root, 'a.npm.tar'), join(root, 'a.npm.tgz'));
  const installed = await fetchPlugin(parseSource(join(root, 'a.npm.tgz')), fresh(), tools);
  const managed = createReadStream(join(root, 'a.docker.tar')) as AsyncIterable<Buffer>;
  assert.deepEqual((await createFromArchive('nfs', managed, fresh(), tools)).manifest.provides[0]?.drivers, ['nfs']);
  assert.deepEqual([installed.manifest, existsSync(join(installed.dir, 'node_modules'))], [goodManifest, false]);
  const names = execFileSync('tar', ['tf', join(root, 'a.oci.tar')], { encoding: 'utf8' })
    .trim()
    .split('\n');
  assert.deepEqual(
    names.filter((name) => !name.includes('sha256/')),
    ['blobs/', 'index.json', 'oci-layout'],
  );
});

test('packPlugin() makes a folder and a tar that docker plugin create takes', async () => {
  const created = await createFromArchive('sshfs', archive(...rootfs), fresh(), tools);
  const folder = join(root, 'for-docker');
  await packPlugin(created.dir, { format: 'docker', out: folder }, tools);
  assert.deepEqual(readdirSync(folder), ['config.json', 'rootfs']);
  await packPlugin(created.dir, { format: 'docker', out: join(root, 'for-docker.tar') }, tools);
  const again = await createFromArchive('sshfs', createReadStream(join(root, 'for-docker.tar')) as AsyncIterable<Buffer>, fresh(), tools);
  assert.equal(again.digest, created.digest);
});

test('fetchPlugin() takes a layer whose diff id is the digest of what was pushed, as docker plugin create writes it', async () => {
  const rootfsOf = { rootfs: { type: 'layers', diff_ids: [sha256(dockerLayer)] } };
  const { replies, reference } = await remote({ configType: dockers, config: { ...sshfsConfig, ...rootfsOf }, layers: [dockerLayer] });
  await using docker = await scriptedRegistry(replies);
  const { dir } = await fetchPlugin(parseSource(`${docker.host}/${reference}`), fresh(), tools);
  assert.equal(readFileSync(join(dir, 'rootfs/docker-volume-sshfs'), 'utf8'), 'x');
});

test('a plugin that somebody else made keeps its digest and its bytes when it is pushed on', async () => {
  // Written and compressed in another way than ours, in two layers, with a file that the engine does not keep as it is.
  const parts = [
    gzipSync(Buffer.concat([entry('program', 'x', { mode: 0o4755, mtime: 7 }), endOfArchive]), { level: 1 }),
    gzipSync(Buffer.concat([entry('other', 'y'), header({ name: 'null', type: '3', device: [1, 3] }), endOfArchive])),
  ];
  const rootfsOf = { rootfs: { type: 'layers', diff_ids: parts.map((part) => sha256(part)) } };
  const { replies, reference } = await remote({ configType: dockers, config: { ...sshfsConfig, ...rootfsOf }, layers: parts, indent: 3 });
  await using docker = await scriptedRegistry(replies);
  const fetched = await fetchPlugin(parseSource(`${docker.host}/${reference}`), fresh(), tools);
  assert.deepEqual(readdirSync(join(fetched.dir, 'rootfs')), ['other', 'program']);
  const pushed = await pushPlugin(fetched.dir, { reference: `${registry.host}/acme/on:1`, scratch: fresh() }, tools);
  assert.equal(pushed.digest, fetched.digest);
  const again = await fetchPlugin(parseSource(`${registry.host}/acme/on:1`), fresh(), tools);
  assert.deepEqual([again.digest, again.dockerConfig], [fetched.digest, fetched.dockerConfig]);
  const onceMore = await pushPlugin(again.dir, { reference: `${registry.host}/acme/on:2`, scratch: fresh() }, tools);
  assert.equal(onceMore.digest, fetched.digest);
});

test('pushPlugin() sends nothing of a stored plugin that is damaged', async () => {
  const { replies, reference } = await remote();
  await using source = await scriptedRegistry(replies);
  const damages: readonly ((kept: string) => void)[] = [
    (kept) => writeFileSync(join(kept, 'manifest.json'), '{}'),
    (kept) => writeFileSync(join(kept, 'index.json'), 'x'),
    (kept) => rmSync(join(kept, sha256(layer).replace(':', '-'))),
    (kept) => writeFileSync(join(kept, sha256(layer).replace(':', '-')), 'short'),
  ];
  for (const damage of damages) {
    const { dir } = await fetchPlugin(parseSource(`${source.host}/${reference}`), fresh(), tools);
    damage(join(dir, '.registry'));
    const push = pushPlugin(dir, { reference: `${registry.host}/acme/damaged:1`, scratch: fresh() }, tools);
    await assert.rejects(push, { code: 'data_loss' });
  }
});

test('a folder or a layer cannot say what a plugin was at its registry', async () => {
  const forged = { '.registry/index.json': '{}', '.registry/manifest.json': '{}' };
  const { dir } = await fetchPlugin(parseSource(writeFiles(join(root, 'forged'), { ...code, ...forged })), fresh(), tools);
  assert.equal(existsSync(join(dir, '.registry')), false);
  const inLayer = gzipSync(Buffer.concat([entry('main.js', 'main'), entry('.registry/own', 'x'), endOfArchive]));
  const { replies, reference } = await remote({ layers: [inLayer] });
  await using source = await scriptedRegistry(replies);
  const fetched = await fetchPlugin(parseSource(`${source.host}/${reference}`), fresh(), tools);
  assert.equal(existsSync(join(fetched.dir, '.registry/own')), false);
  assert.equal(
    (await pushPlugin(fetched.dir, { reference: `${registry.host}/acme/forged:1`, scratch: fresh() }, tools)).digest,
    fetched.digest,
  );
});

test('fetchPlugin() takes up a blob where its connection broke', async () => {
  const { replies, reference } = await remote();
  const at = 'GET /v2/acme/nfs/blobs/LAYER';
  const broken: Reply = (_q, response) =>
    void (response.writeHead(200, { 'content-length': String(layer.length) }).write(layer.subarray(0, 10)),
    setTimeout(() => response.socket?.resetAndDestroy(), 50));
  const ranged: Reply = (request, response, body) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1]);
    reply(206, layer.subarray(from), { 'content-range': `bytes ${from}-${layer.length - 1}/${layer.length}` })(request, response, body);
  };
  await using flaky = await scriptedRegistry({ ...replies, [at.replace('LAYER', sha256(layer))]: inTurn(broken, ranged) });
  const fetched = await fetchPlugin(parseSource(`${flaky.host}/${reference}`), fresh(), tools);
  assert.equal(readFileSync(join(fetched.dir, 'main.js'), 'utf8'), 'main');
});

const layer = gzipSync(Buffer.concat([entry('main.js', 'main'), endOfArchive]));
const dockerLayer = gzipSync(Buffer.concat([entry('docker-volume-sshfs', 'x'), endOfArchive]));
const ours = 'application/vnd.gantry.plugin.v1+json';
const dockers = 'application/vnd.docker.plugin.v1+json';

interface ManifestDocument {
  readonly mediaType: string;
  readonly config: { readonly mediaType: string };
  readonly layers: readonly { readonly mediaType: string }[];
}
interface Made {
  readonly config?: unknown;
  readonly configType?: string;
  readonly layers?: readonly Buffer[];
  readonly change?: (manifest: ManifestDocument) => unknown;
  /** How the manifest is written. */
  readonly indent?: number;
}

/** A plugin as replies of a scripted registry. */
async function remote({ config = goodManifest, configType = ours, layers = [layer], change = (same) => same, indent }: Made = {}): Promise<{
  readonly replies: Readonly<Record<string, Reply>>;
  readonly reference: string;
}> {
  const configBytes = Buffer.from(JSON.stringify(config));
  const describe = (bytes: Buffer, mediaType: string): object => ({ mediaType, digest: sha256(bytes), size: bytes.length });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: describe(configBytes, configType),
    layers: layers.map((one) => describe(one, 'x')),
  };
  const bytes = JSON.stringify(change(manifest as never), undefined, indent);
  const blobs = [configBytes, ...layers].map((blob) => [`GET /v2/acme/nfs/blobs/${sha256(blob)}`, reply(200, blob)] as const);
  return {
    reference: 'acme/nfs:1',
    replies: { 'GET /v2/acme/nfs/manifests/1': reply(200, bytes, { 'content-type': mediaType }), ...Object.fromEntries(blobs) },
  };
}

const diff = (tar: Buffer): string => sha256(tar);
const dockerWith = (more: object): object => ({
  ...sshfsConfig,
  rootfs: { type: 'layers', diff_ids: [diff(Buffer.concat([entry('docker-volume-sshfs', 'x'), endOfArchive]))] },
  ...more,
});
const evil = (...parts: readonly Buffer[]): Buffer => gzipSync(Buffer.concat([...parts, endOfArchive]));
const bad: readonly (readonly [string, Made, RegExp])[] = [
  ['an image', { configType: 'application/vnd.docker.container.image.v1+json' }, /is no plugin/],
  ['no layers field', { change: ({ layers: _layers, ...rest }) => rest }, /layers must be a list/],
  [
    'a layer without a digest',
    { change: (manifest) => ({ ...manifest, layers: [{ mediaType: 'x', size: 1 }] }) },
    /layers\[0\] has no sha256 digest/,
  ],
  [
    'a layer with a wrong size',
    { change: (manifest) => ({ ...manifest, layers: [{ ...(manifest.layers[0] as object), size: 1 }] }) },
    /should have 1/,
  ],
  [
    'a layer of 1 TiB',
    { change: (manifest) => ({ ...manifest, layers: [{ ...(manifest.layers[0] as object), size: 2 ** 40 }] }) },
    /layers of more than/,
  ],
  [
    'a layer that is not there',
    { change: (manifest) => ({ ...manifest, layers: [{ mediaType: 'x', size: 1, digest: `sha256:${'0'.repeat(64)}` }] }) },
    /not found/,
  ],
  ['no entry in its layers', { layers: [] }, /main\.js.*no such file|no such file/],
  [
    'another manifest among its files',
    { layers: [layer, evil(entry('gantry-plugin.json', JSON.stringify({ ...goodManifest, version: '9.9.9' })))] },
    /differ$/,
  ],
  ['a config that is no manifest', { config: {} }, /manifest\.manifestVersion/],
  ['a config that is a list', { config: [] }, /no JSON object/],
  ['a layer that climbs', { layers: [layer, evil(entry('../../evil', 'x'))] }, /escapes|\.\./],
  ['a symlink that leads out', { layers: [layer, evil(header({ name: 'l', type: '2', link: '/etc' }))] }, /leads out/],
  ['a device', { layers: [layer, evil(header({ name: 'd', type: '4', device: [8, 0] }))] }, /no file, folder/],
  ['a layer that is no tar', { layers: [Buffer.from('certainly no tar')] }, /./],
  ['a damaged layer', { layers: [layer.subarray(0, layer.length - 4)] }, /damaged gzip/],
  [
    "Docker's config with too few diff ids",
    { configType: dockers, config: dockerWith({ rootfs: { diff_ids: [] } }), layers: [dockerLayer] },
    /1 layers and 0 diff ids/,
  ],
  [
    "Docker's config with another diff id",
    { configType: dockers, config: dockerWith({ rootfs: { diff_ids: [sha256('x')] } }), layers: [dockerLayer] },
    /has diff id/,
  ],
  [
    "Docker's config without a driver",
    {
      configType: dockers,
      config: dockerWith({ Interface: { Types: ['docker.metricscollector/1.0'], Socket: 'a.sock' } }),
      layers: [dockerLayer],
    },
    /no kind of driver/,
  ],
];
for (const [what, made, message] of bad) {
  test(`fetchPlugin() refuses from a registry ${what}, and leaves nothing`, async () => {
    const { replies, reference } = await remote(made);
    await using hostile = await scriptedRegistry(replies);
    const target = fresh();
    await assert.rejects(fetchPlugin(parseSource(`${hostile.host}/${reference}`), target, tools), (error: Error) => {
      assert.match(error.message, message);
      assert.match(codeOf(error), /invalid_argument|data_loss|not_found|not_implemented/, error.message);
      return true;
    });
    assert.deepEqual([existsSync(target), readdirSync(plugins).filter((name) => name.startsWith('.'))], [false, []]);
  });
}

const tars: readonly (readonly [string, readonly Buffer[], RegExp])[] = [
  ['neither layout', [entry('a', 'b'), endOfArchive], /this is no plugin/],
  ['a config.json that is no JSON', [entry('config.json', '{'), entry('rootfs/a', ''), endOfArchive], /config\.json is no JSON/],
  [
    'a config.json that is a symlink',
    [header({ name: 'config.json', type: '2', link: '/etc/passwd' }), entry('rootfs/a', ''), endOfArchive],
    /is a symlink/,
  ],
  [
    'rootfs as a symlink',
    [entry('config.json', '{}'), header({ name: 'rootfs', type: '2', link: '/' }), endOfArchive],
    /this is no plugin/,
  ],
  ['a path that climbs', [entry('../config.json', '{}'), endOfArchive], /escapes|\.\./],
  ['nothing', [], /less than four bytes/],
];
for (const [what, parts, message] of tars) {
  test(`createFromArchive() refuses a tar with ${what}, and leaves nothing`, async () => {
    const target = fresh();
    await assert.rejects(createFromArchive('a', archive(...parts), target, tools), message);
    assert.deepEqual([existsSync(target), readdirSync(plugins).filter((name) => name.startsWith('.'))], [false, []]);
  });
}

test('an index is followed to the manifest for this machine', async () => {
  const dir = writeFiles(join(root, 'indexed'), code);
  const { digest } = await pushPlugin(dir, { reference: `${registry.host}/acme/multi:one`, scratch: fresh() }, tools);
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const put = (tag: string, architecture: string): Promise<unknown> => {
    const entryOf = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 1, platform: { os: 'linux', architecture } };
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: [entryOf] }));
    const context = { signal: new AbortController().signal, log: quietLog, operationId: '' };
    return driver.putManifest({ host: registry.host, repository: 'acme/multi', reference: tag, mediaType, bytes }, context);
  };
  await put('all', process.arch === 'x64' ? 'amd64' : process.arch);
  await put('other', 's390x');
  assert.equal((await offerOf(parseSource(`${registry.host}/acme/multi:all`), fresh(), tools)).digest, digest);
  await assert.rejects(offerOf(parseSource(`${registry.host}/acme/multi:other`), fresh(), tools), /no matching manifest for linux/);
});
