import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '@gantry/sdk';
import { digestOf } from '../../support/images/image-archive.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type Reply, reply } from '../../support/servers/scripted-registry.ts';
import { architecture, blobPath, configOf, manifestOf, served, small, types } from '../../support/plugins/served-image.ts';
import { RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

const tar = small('bad');
const good = configOf([digestOf(tar)]);
const goodManifest = manifestOf(good, [[types.layer, tar]]);
interface Bad {
  readonly what: string;
  readonly code: string;
  readonly says: RegExp;
  readonly manifest?: Buffer;
  readonly mediaType?: string;
  readonly blobs?: readonly Buffer[];
  readonly layer?: Reply;
  readonly config?: Reply;
  readonly also?: Readonly<Record<string, Reply>>;
  /** How often the layer is asked for. */
  readonly asks?: number;
}
const foreign = Buffer.from(JSON.stringify({ ...(JSON.parse(goodManifest.toString()) as object), layers: [] }));
const bad: Bad[] = [
  { what: 'a layer with other bytes', code: 'data_loss', says: /digest/, layer: reply(200, Buffer.alloc(tar.length, 1)) },
  { what: 'a layer that is longer', code: 'data_loss', says: /sha256:/, layer: reply(200, Buffer.concat([tar, tar])) },
  {
    what: 'a layer that never comes whole',
    code: 'unavailable',
    says: /broke off 5 times, the last time after 10 of/,
    layer: breakingAlways(tar),
  },
  { what: 'a layer that is not there', code: 'not_found', says: /blob sha256:/, layer: reply(404) },
  { what: 'a config with other bytes', code: 'data_loss', says: /sha256:/, config: reply(200, Buffer.alloc(good.length, 32)) },
  {
    what: 'layers that are not those of the config',
    code: 'invalid_argument',
    says: /invalid diffID/,
    manifest: manifestOf(good, [[types.layer, small('other')]]),
    blobs: [small('other')],
  },
  { what: 'fewer layers than the config has', code: 'invalid_argument', says: /0 layers, its config has 1/, manifest: foreign },
  {
    what: 'a manifest that is also an index',
    code: 'invalid_argument',
    says: /both/,
    manifest: Buffer.from(JSON.stringify({ ...(JSON.parse(goodManifest.toString()) as object), manifests: [] })),
  },
  {
    what: 'a plugin',
    code: 'invalid_argument',
    says: /is no image/,
    manifest: manifestOf(good, [[types.layer, tar]], 'application/vnd.docker.plugin.v1+json'),
  },
  {
    what: 'a layer of a kind that nobody knows',
    code: 'invalid_argument',
    says: /unknown media type/,
    manifest: manifestOf(good, [['application/x-zip', tar]]),
  },
  { what: 'a config that is for another system', code: 'invalid_argument', says: /windows/, ...withConfig({ os: 'windows' }) },
  { what: 'a config that is no JSON', code: 'invalid_argument', says: /config/, ...withConfig(Buffer.from('{')) },
  { what: 'a layer that is no tar', code: 'invalid_argument', says: /unpack layer|tar/, ...withLayer(Buffer.alloc(2048, 7)) },
];
const answering = (count: number, status: number): Bad => ({
  what: `${status} for a layer, which is asked for ${count} ${count === 1 ? 'time' : 'times'}`,
  code: status === 404 ? 'not_found' : status === 403 ? 'forbidden' : status === 400 ? 'invalid_argument' : 'unavailable',
  says: /blob sha256:/,
  layer: reply(status),
  asks: count,
});
bad.push(answering(5, 503), answering(5, 429), answering(1, 404), answering(1, 403), answering(1, 400));
bad.push({
  what: 'no answer for a layer',
  code: 'unavailable',
  says: /socket hang up/,
  layer: (request) => void request.socket.destroy(),
  asks: 5,
});
bad.push({ what: 'other bytes twice', code: 'data_loss', says: /digest/, layer: reply(200, Buffer.alloc(tar.length, 1)), asks: 2 });
bad.push({ what: 'indexes in indexes without an end', ...nestedIndexes(5) });

for (const { what, code, says, manifest = goodManifest, mediaType, blobs = [tar], layer, config, also: more = {}, asks } of bad) {
  test(`a registry that sends ${what} is told, and leaves nothing`, async () => {
    const also = {
      ...more,
      ...(layer === undefined ? {} : { [blobPath('bad', tar)]: layer }),
      ...(config === undefined ? {} : { [blobPath('bad', good)]: config }),
    };
    await using source = await served({
      name: 'bad',
      blobs: [good, ...blobs],
      manifest,
      also,
      ...(mediaType === undefined ? {} : { mediaType }),
    });
    await using room = RoomUnderTest.open({ registry: { retryDelayMs: 1 } });
    const before = await room.left();
    await assert.rejects(room.images.pull(`${source.host}/acme/bad:1`, {}), (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, says);
      assert.equal(codeOf(error), code, error.message);
      return true;
    });
    assert.deepEqual(await room.left(), before);
    assert.equal(room.images.count, 0);
    if (asks !== undefined) assert.equal(source.asked.filter((line) => line.includes(digestOf(tar))).length, asks);
  });
}

function withConfig(config: Buffer | object): Pick<Bad, 'manifest' | 'blobs'> {
  const bytes = Buffer.isBuffer(config) ? config : Buffer.from(JSON.stringify({ ...(JSON.parse(good.toString()) as object), ...config }));
  return { manifest: manifestOf(bytes, [[types.layer, tar]]), blobs: [tar, bytes] };
}

function withLayer(layer: Buffer): Pick<Bad, 'manifest' | 'blobs'> {
  const config = configOf([digestOf(layer)]);
  return { manifest: manifestOf(config, [[types.layer, layer]]), blobs: [config, layer] };
}

function breakingAlways(bytes: Buffer): Reply {
  return (_request, response) => {
    response.writeHead(200, { 'content-length': String(bytes.length) });
    response.write(bytes.subarray(0, 10), () => response.socket?.destroySoon());
  };
}

function nestedIndexes(depth: number): Omit<Bad, 'what'> {
  const also: Record<string, Reply> = {};
  let inner: { readonly bytes: Buffer; readonly mediaType: string } = { bytes: goodManifest, mediaType: types.manifest };
  for (let at = 0; at < depth; at += 1) {
    const { bytes, mediaType } = inner;
    also[`GET /v2/acme/bad/manifests/${digestOf(bytes)}`] = reply(200, bytes, { 'content-type': mediaType });
    const named = { mediaType, digest: digestOf(bytes), size: bytes.length, platform: { os: 'linux', architecture } };
    inner = {
      bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: [named] })),
      mediaType: types.index,
    };
  }
  return { code: 'invalid_argument', says: /nested more than 3 deep/, manifest: inner.bytes, mediaType: types.index, also };
}
