import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf, makeImage } from '../../support/images/image-archive.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { endOfArchive, entry, header, pax } from '../../support/images/tar-builder.ts';
import { RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);

const layer = Buffer.concat([entry('hello', 'world'), endOfArchive]);
const bigLayer = Buffer.concat([entry('big', Buffer.alloc(300_000, 'x')), endOfArchive]);
const diffId = digestOf(layer);
type Json = unknown;

interface Parts {
  readonly config?: Json;
  readonly manifest?: Json;
  readonly layer?: Buffer;
  readonly extra?: readonly Buffer[];
  readonly entry?: Readonly<Record<string, Json>>;
}

/** A good Docker archive but for what is given. A good image comes first: a bad one must not leave that behind either. */
function docker({ config = {}, manifest, layer: bytes = bigLayer, extra = [], entry: fields = {} }: Parts): Buffer {
  const good = { Config: 'good.json', RepoTags: ['good:1'], Layers: ['good.tar'] };
  const bad = { Config: 'bad.json', RepoTags: ['bad:1'], Layers: ['bad.tar'], ...fields };
  return tar(
    entry('good.json', json(goodConfig(diffId))),
    entry('good.tar', layer),
    entry('bad.json', Buffer.isBuffer(config) ? config : json({ ...goodConfig(digestOf(bigLayer)), ...(config as object) })),
    entry('bad.tar', bytes),
    entry('manifest.json', Buffer.isBuffer(manifest) ? manifest : json(manifest ?? [good, bad])),
    ...extra,
  );
}

function goodConfig(...diffIds: readonly string[]): object {
  return { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } };
}

const image = makeImage({ format: 'oci', layers: [layer], reference: 'docker.io/library/bad:1' });
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';

/** A good OCI layout with members put after it, which win; and helpers to make those. */
function oci(...members: readonly Buffer[]): Buffer {
  return Buffer.concat([image.archive.subarray(0, -1024), ...members, endOfArchive]);
}
function blob(value: Json): Buffer {
  const bytes = Buffer.isBuffer(value) ? value : json(value);
  return entry(`blobs/${digestOf(bytes).replace(':', '/')}`, bytes);
}
function descriptor(value: Json, fields: object = {}): object {
  const bytes = Buffer.isBuffer(value) ? value : json(value);
  return { mediaType: manifestType, digest: digestOf(bytes), size: bytes.length, ...fields };
}
function index(...manifests: readonly Json[]): Buffer {
  return entry('index.json', json({ schemaVersion: 2, mediaType: indexType, manifests }));
}
const configBytes = json(goodConfig(diffId));
const configDescriptor = descriptor(configBytes, { mediaType: 'application/vnd.oci.image.config.v1+json' });
const layerDescriptor = descriptor(layer, { mediaType: 'application/vnd.oci.image.layer.v1.tar' });
function ociManifest(fields: object = {}): object {
  return { schemaVersion: 2, mediaType: manifestType, config: configDescriptor, layers: [layerDescriptor], ...fields };
}
/** An OCI layout whose one image has this manifest. */
function withManifest(value: Json, ...members: readonly Buffer[]): Buffer {
  return oci(blob(configBytes), blob(layer), blob(value), ...members, index(descriptor(value)));
}
/** Indexes around a manifest, `depth` of them. */
function nested(depth: number): Buffer {
  const members = [blob(configBytes), blob(layer), blob(ociManifest())];
  let inner = descriptor(ociManifest(), { platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch } });
  for (let at = 0; at < depth; at += 1) {
    const document = { schemaVersion: 2, mediaType: indexType, manifests: [inner] };
    members.push(blob(document));
    inner = descriptor(document, { mediaType: indexType });
  }
  return oci(...members, index(inner));
}

const rows: Readonly<Record<string, readonly [archive: Buffer, message: RegExp]>> = {
  'nothing at all': [Buffer.alloc(0), /not an archive of images/],
  'two zero blocks': [endOfArchive, /empty/],
  'no tar': [Buffer.alloc(5_000, 'junk '), /not an archive of images: .*checksum/],
  'a tar that was cut': [docker({}).subarray(0, 2_000), /unexpected end/],
  'a gzip that was cut': [gzipSync(docker({})).subarray(0, -20), /gzip/],
  'gzip and then rubbish': [Buffer.concat([gzipSync(docker({})), Buffer.from('rubbish')]), /gzip/],
  'no manifest.json': [tar(entry('x', 'y')), /does not contain a manifest\.json/],
  'a Docker older than 1.10': [tar(entry('repositories', '{}')), /does not contain a manifest\.json/],
  'manifest.json {': [docker({ manifest: Buffer.from('{') }), /manifest\.json is no JSON/],
  'manifest.json {}': [docker({ manifest: {} }), /manifest\.json is an object, not a list/],
  'manifest.json null': [docker({ manifest: Buffer.from('null') }), /manifest\.json is null/],
  'manifest.json [null]': [docker({ manifest: [null] }), /manifest\.json\[0\] is null/],
  'manifest.json 50,000 deep': [docker({ manifest: Buffer.from('['.repeat(50_000) + ']'.repeat(50_000)) }), /nested more than/],
  'manifest.json over 4 MiB': [docker({ manifest: Buffer.from(`[${' '.repeat(4 * 1024 * 1024)}]`) }), /4194306 bytes, at most/],
  'manifest.json that is no UTF-8': [docker({ manifest: Buffer.from([0x22, 0xff, 0x22]) }), /no UTF-8/],
  'manifest.json that is a folder': [tar(header({ name: 'manifest.json/', type: '5' })), /a folder/],
  'manifest.json that is a fifo': [tar(header({ name: 'manifest.json', type: '6' })), /a fifo/],
  'a key said twice': [docker({ manifest: Buffer.from('[{"Config":"good.json","Config":"bad.json"}]') }), /"Config" twice/],
  'no Config': [docker({ entry: { Config: undefined } }), /Config is missing/],
  'Config that climbs out': [docker({ entry: { Config: '../../etc/passwd' } }), /out of the archive/],
  'Config that is absolute': [docker({ entry: { Config: '/etc/passwd' } }), /the archive has no "\/etc\/passwd"/],
  'Config that is empty': [docker({ entry: { Config: '' } }), /Config/],
  'Config that is a link out': [
    docker({ entry: { Config: 'l' }, extra: [header({ name: 'l', type: '2', link: '/etc/passwd' })] }),
    /out of the archive/,
  ],
  'Config that is a link that climbs': [
    docker({ entry: { Config: 'l' }, extra: [header({ name: 'l', type: '2', link: '../../etc/passwd' })] }),
    /out of the archive/,
  ],
  'Config that is a circle of links': [
    docker({ entry: { Config: 'l' }, extra: [header({ name: 'l', type: '2', link: 'm' }), header({ name: 'm', type: '2', link: 'l' })] }),
    /in circles/,
  ],
  'Config below a link to itself': [
    docker({ entry: { Config: 'l/x' }, extra: [header({ name: 'l', type: '2', link: 'l/y' })] }),
    /in circles/,
  ],
  'Config that is a fifo': [docker({ entry: { Config: 'f' }, extra: [header({ name: 'f', type: '6' })] }), /a fifo/],
  'Config that is a folder': [docker({ entry: { Config: 'f' }, extra: [header({ name: 'f/', type: '5' })] }), /a folder/],
  'Config that is a device': [docker({ entry: { Config: 'f' }, extra: [header({ name: 'f', type: '3' })] }), /character device/],
  'Config that is a hard link': [
    docker({ entry: { Config: 'f' }, extra: [header({ name: 'f', type: '1', link: 'good.json' })] }),
    /a hard link/,
  ],
  'Layers null': [docker({ entry: { Layers: null } }), /Layers is null/],
  'a layer that climbs': [docker({ entry: { Layers: ['..'] } }), /out of the archive/],
  'a layer that is a link out': [
    docker({ entry: { Layers: ['l'] }, extra: [header({ name: 'l', type: '2', link: '../x' })] }),
    /out of the archive/,
  ],
  'a layer that is a folder': [docker({ entry: { Layers: ['d'] }, extra: [header({ name: 'd/', type: '5' })] }), /a folder/],
  'a layer that is a fifo': [docker({ entry: { Layers: ['p'] }, extra: [header({ name: 'p', type: '6' })] }), /a fifo/],
  'a layer that is missing': [docker({ entry: { Layers: ['gone.tar'] } }), /the archive has no "gone\.tar"/],
  'more layers than diff ids': [docker({ entry: { Layers: ['bad.tar', 'bad.tar'] } }), /2 layers, its config .* has 1/],
  'fewer layers than diff ids': [docker({ entry: { Layers: [] } }), /0 layers, its config .* has 1/],
  'a layer with another diff id': [docker({ layer: Buffer.from(layer) }), /invalid diffID/],
  'a diff id that is no digest': [
    docker({ config: { rootfs: { type: 'layers', diff_ids: ['sha256:zz'] } } }),
    /diff_ids\[0\] is no digest/,
  ],
  'a diff id of md5': [
    docker({ config: { rootfs: { type: 'layers', diff_ids: [`md5:${'0'.repeat(32)}`] } } }),
    /diff_ids\[0\] is no digest/,
  ],
  'a diff id of sha512': [docker({ config: { rootfs: { type: 'layers', diff_ids: [`sha512:${'0'.repeat(128)}`] } } }), /is no digest/],
  'a diff id that climbs': [docker({ config: { rootfs: { type: 'layers', diff_ids: ['sha256:../../x'] } } }), /is no digest/],
  'a config that is a list': [docker({ config: Buffer.from('[]') }), /bad\.json is a list, not an object/],
  'a config without rootfs': [docker({ config: { rootfs: undefined } }), /bad\.json\.rootfs is missing/],
  'a config with another rootfs': [docker({ config: { rootfs: { type: 'x', diff_ids: [digestOf(bigLayer)] } } }), /rootfs\.type/],
  'a config made at no time': [docker({ config: { created: 'yesterday' } }), /created "yesterday" is no RFC 3339 time/],
  'Env that is no list': [docker({ config: { config: { Env: 'A=1' } } }), /config\.Env is a string, not a list/],
  'Cmd of numbers': [docker({ config: { config: { Cmd: [1] } } }), /config\.Cmd\[0\] is a number/],
  'User that is an object': [docker({ config: { config: { User: {} } } }), /config\.User is an object/],
  'Labels of lists': [docker({ config: { config: { Labels: { a: [] } } } }), /config\.Labels\["a"\] is a list/],
  'Volumes that is a list': [docker({ config: { config: { Volumes: [] } } }), /config\.Volumes is a list/],
  'Healthcheck with words for numbers': [docker({ config: { config: { Healthcheck: { Interval: '1s' } } } }), /Healthcheck\.Interval/],
  'a history longer than the layers': [docker({ config: { history: [{}, {}] } }), /1 layers but its history has 2/],
  'a history of words': [docker({ config: { history: ['x'] } }), /history\[0\]/],
  'an image for windows': [docker({ config: { os: 'windows' } }), /cannot use an image for windows on linux/],
  'an os that is a number': [docker({ config: { os: 1 } }), /os is a number/],
  'too many layers': [
    docker({
      config: goodConfig(...Array.from({ length: 126 }, () => digestOf(bigLayer))),
      entry: { Layers: Array.from({ length: 126 }, () => 'bad.tar') },
    }),
    /max depth exceeded/,
  ],
  'a tag that is none': [docker({ entry: { RepoTags: ['good:2', 'Bad:1'] } }), /must be lowercase/],
  'a tag that climbs': [docker({ entry: { RepoTags: ['../../x:1'] } }), /invalid reference format/],
  'a tag that is a digest': [docker({ entry: { RepoTags: [`bad@${diffId}`] } }), /is a digest, not a tag/],
  'a tag that is an id': [docker({ entry: { RepoTags: ['f'.repeat(64)] } }), /cannot specify 64-byte hexadecimal/],
  'a tag that is a number': [docker({ entry: { RepoTags: [1] } }), /RepoTags\[0\] is a number/],
  'a layer that is no tar': [
    docker({ layer: Buffer.alloc(300_000, 'x'), config: goodConfig(digestOf(Buffer.alloc(300_000, 'x'))) }),
    /tar/,
  ],
  'a layer that climbs out of the image': [evil('../../evil'), /path escapes layer/],
  'a layer that was cut': [cutLayer(), /unexpected end/],
  'a layer whose gzip was cut': [docker({ layer: gzipSync(bigLayer).subarray(0, -12), config: goodConfig(digestOf(bigLayer)) }), /gzip/],
  'a member that climbs': [docker({ extra: [entry('../../evil', 'x')] }), /lies outside the archive/],
  'a member that is sparse': [
    docker({
      extra: [
        pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 's', 'GNU.sparse.realsize': '1048576' }),
        sparseBody(),
      ],
    }),
    /is sparse/,
  ],
  'a parent that is none': [
    docker({
      manifest: [
        { Config: 'good.json', RepoTags: null, Layers: ['good.tar'] },
        { Config: 'bad.json', RepoTags: null, Layers: ['bad.tar'], Parent: digestOf(json(goodConfig(diffId))) },
      ],
    }),
    /does not descend from its parent/,
  ],

  'a layout of no version': [oci(entry('oci-layout', '{}')), /imageLayoutVersion is not "1\.0\.0"/],
  'a layout of another version': [oci(entry('oci-layout', '{"imageLayoutVersion":"2.0.0"}')), /imageLayoutVersion/],
  'a layout that is junk': [oci(entry('oci-layout', 'junk')), /oci-layout is no JSON/],
  'no oci-layout': [tar(index()), /the archive has no "oci-layout"/],
  'an index of nothing': [oci(index()), /names no image/],
  'an index of another version': [oci(entry('index.json', json({ schemaVersion: 1, manifests: [] }))), /schemaVersion/],
  'an index that says it is a manifest': [
    oci(entry('index.json', json({ schemaVersion: 2, mediaType: manifestType, manifests: [] }))),
    /index\.json\.mediaType/,
  ],
  'a descriptor with another size': [oci(blob(ociManifest()), index(descriptor(ociManifest(), { size: 3 }))), /bytes, not 3/],
  'a descriptor of size -1': [oci(index(descriptor(ociManifest(), { size: -1 }))), /size is not a number of bytes/],
  'a descriptor of size 2^53+1': [oci(index(descriptor(ociManifest(), { size: 2 ** 53 + 2 }))), /size is not a number of bytes/],
  'a descriptor of a size in words': [oci(index(descriptor(ociManifest(), { size: '3' }))), /size is not a number of bytes/],
  'a descriptor of a blob that lies': [
    oci(entry(`blobs/${diffId.replace(':', '/')}`, json(ociManifest())), index(descriptor(ociManifest(), { digest: diffId }))),
    /has the digest/,
  ],
  'a blob that is missing': [oci(index(descriptor(ociManifest()))), /the archive has no/],
  'a digest that climbs': [oci(index(descriptor(ociManifest(), { digest: 'sha256:../../../../x' }))), /invalid digest/],
  'a digest that is empty': [oci(index(descriptor(ociManifest(), { digest: '' }))), /invalid digest/],
  'a digest that is a list': [oci(index(descriptor(ociManifest(), { digest: [] }))), /invalid digest/],
  'a digest that is too short': [oci(index(descriptor(ociManifest(), { digest: `sha256:${'0'.repeat(63)}` }))), /invalid digest/],
  'a digest of md5': [oci(index(descriptor(ociManifest(), { digest: `md5:${'0'.repeat(32)}` }))), /invalid digest/],
  'a media type that nobody knows': [oci(index(descriptor(ociManifest(), { mediaType: 'text/html' }))), /unknown media type/],
  'data that is not the blob': [oci(blob(ociManifest()), index(descriptor(ociManifest(), { data: 'AAAA' }))), /data is not the blob/],
  'only images for other machines': [
    oci(
      index(
        descriptor(ociManifest(), { platform: { os: 'linux', architecture: 's390x' } }),
        descriptor(ociManifest(), { platform: { os: 'windows', architecture: 'amd64' } }),
      ),
    ),
    /no matching manifest for linux\//,
  ],
  'indexes too deep': [nested(4), /nested more than 3 deep/],
  'a blob that is a link out': [
    oci(header({ name: blobPath(ociManifest()), type: '2', link: '/etc/passwd' }), index(descriptor(ociManifest()))),
    /out of the archive/,
  ],
  'a blob that is a folder': [oci(header({ name: blobPath(ociManifest()), type: '5' }), index(descriptor(ociManifest()))), /a folder/],
  'a blob that is a fifo': [oci(header({ name: blobPath(ociManifest()), type: '6' }), index(descriptor(ociManifest()))), /a fifo/],
  'a manifest that is an index too': [withManifest(ociManifest({ manifests: [] })), /both a manifest and an index/],
  'a manifest that says it is an index': [withManifest(ociManifest({ mediaType: indexType })), /mediaType is/],
  'an index that is a manifest too': [
    oci(entry('index.json', json({ schemaVersion: 2, manifests: [descriptor(ociManifest())], layers: [] }))),
    /both a manifest and an index/,
  ],
  'a manifest with Layers for layers': [withManifest(ociManifest({ Layers: [] })), /"Layers" where "layers" is meant/],
  'a manifest without layers': [withManifest(ociManifest({ layers: undefined })), /layers is missing/],
  'a manifest with fewer layers than its config': [withManifest(ociManifest({ layers: [] })), /0 layers, its config has 1/],
  'a manifest of a chart': [
    withManifest(ociManifest({ config: { ...configDescriptor, mediaType: 'application/vnd.cncf.helm.config.v1+json' } })),
    /is no container image/,
  ],
  'a layer of a media type that is none': [
    withManifest(ociManifest({ layers: [{ ...layerDescriptor, mediaType: 'application/json' }] })),
    /unknown media type/,
  ],
  'a name that is none': [
    oci(
      blob(configBytes),
      blob(layer),
      blob(ociManifest()),
      index(descriptor(ociManifest(), { annotations: { 'io.containerd.image.name': 'A B' } })),
    ),
    /must be lowercase/,
  ],
  'annotations that are a list': [oci(index(descriptor(ociManifest(), { annotations: [] }))), /annotations is a list/],
};

let room: RoomUnderTest;
before(() => {
  room = RoomUnderTest.open();
});
after(() => room[Symbol.asyncDispose]());

for (const [what, [archive, message]] of Object.entries(rows)) {
  test(`Images.load() refuses ${what}, in one line, and leaves nothing`, async () => {
    const left = await room.left();
    await assert.rejects(room.load(archive), (error: Error & { code?: string }) => {
      assert.match(error.message, message);
      assert.equal(error.code, 'invalid_argument', error.message);
      assert.doesNotMatch(error.message, /\n/);
      assert.ok(error.message.length < 600, `${error.message.length} characters`);
      return true;
    });
    assert.deepEqual(await room.left(), left);
    assert.deepEqual(await room.images.list({ all: true }), []);
  });
}

const accepted: Readonly<Record<string, Buffer>> = {
  'the good archive that the bad ones are made from': docker({}),
  'a config for another machine': docker({ config: { architecture: 's390x' } }),
  'an empty os': docker({ config: { os: '' } }),
  'nulls where Go writes them': docker({ config: { config: { Env: null, Labels: null, Volumes: null }, history: null, created: null } }),
  'a tag without a tag': docker({ entry: { RepoTags: ['bad'] } }),
  'a parent of another archive': docker({ entry: { Parent: `sha256:${'1'.repeat(64)}` } }),
  'extra files': docker({ extra: [entry('README', 'hello'), header({ name: 'fifo', type: '6' })] }),
  'the good OCI layout': withManifest(ociManifest()),
  'three indexes around a manifest': nested(3),
  'a subject that is not there': withManifest(ociManifest({ subject: descriptor({ some: 'thing' }) })),
  'annotations of 1 MB': oci(
    blob(configBytes),
    blob(layer),
    blob(ociManifest()),
    index(descriptor(ociManifest(), { annotations: { a: 'x'.repeat(1_000_000) } })),
  ),
  'data that is the blob': oci(
    blob(configBytes),
    blob(layer),
    blob(ociManifest()),
    index(descriptor(ociManifest(), { data: json(ociManifest()).toString('base64') })),
  ),
};

for (const [what, archive] of Object.entries(accepted)) {
  test(`Images.load() accepts ${what}`, async () => {
    await using own = RoomUnderTest.open();
    assert.ok((await own.load(archive)).length > 0);
  });
}

function tar(...members: readonly Buffer[]): Buffer {
  return Buffer.concat([...members, endOfArchive]);
}

function json(value: Json): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function blobPath(value: Json): string {
  return `blobs/${digestOf(json(value)).replace(':', '/')}`;
}

function evil(name: string): Buffer {
  const bytes = Buffer.concat([entry(name, 'x'), endOfArchive]);
  return docker({ layer: bytes, config: goodConfig(digestOf(bytes)) });
}

function cutLayer(): Buffer {
  const bytes = bigLayer.subarray(0, 100_000);
  return docker({ layer: bytes, config: goodConfig(digestOf(bytes)) });
}

function sparseBody(): Buffer {
  const map = Buffer.alloc(512);
  map.write('1\n0\n512\n');
  return entry('GNUSparseFile.0/s', Buffer.concat([map, Buffer.alloc(512, 'd')]));
}
