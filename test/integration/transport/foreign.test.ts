import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '@gantry/sdk';
import { digestOf } from '../../support/images/image-archive.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { reply, scriptedRegistry } from '../../support/servers/scripted-registry.ts';
import { configOf, served, small, types } from '../../support/plugins/served-image.ts';
import { RoomUnderTest } from '../images/room.ts';

inNamespaces(import.meta.url);
leakGuard();

const layer = small('foreign');
const config = configOf([digestOf(layer)]);
const kinds = ['application/vnd.docker.image.rootfs.foreign.diff.tar', 'application/vnd.oci.image.layer.nondistributable.v1.tar'];

function manifestOf(mediaType: string, urls: readonly string[]): Buffer {
  const described = { mediaType, digest: digestOf(layer), size: layer.length, ...(urls.length > 0 && { urls }) };
  const own = { mediaType: types.config, digest: digestOf(config), size: config.length };
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.manifest, config: own, layers: [described] }));
}

async function pull(urls: readonly string[], { mediaType = kinds[0] ?? '', registry = {} } = {}) {
  await using source = await served({ name: 'app', blobs: [config, layer], manifest: manifestOf(mediaType, urls) });
  await using room = RoomUnderTest.open({ registry: { retryDelayMs: 1, ...registry } });
  const before = await room.left();
  try {
    await room.images.pull(`${source.host}/acme/app:1`, { auth: { username: 'me', password: 'secret' } });
    return { id: room.images.inspect(`${source.host}/acme/app:1`).id, asked: source.asked };
  } catch (error) {
    assert.deepEqual(await room.left(), before);
    return { code: codeOf(error), message: (error as Error).message, asked: source.asked };
  }
}

for (const mediaType of kinds) {
  test(`a layer of ${mediaType} is not fetched, from wherever, unless its registry is allowed to have such`, async () => {
    await using elsewhere = await scriptedRegistry({ '*': reply(200, layer) });
    const urls = [`http://${elsewhere.host}/layer`];
    const { code, message, asked } = await pull(urls, { mediaType });
    assert.equal(code, 'forbidden');
    assert.match(message ?? '', /blob sha256:[0-9a-f]{64} is a foreign layer/);
    assert.equal(asked.filter((line) => line.includes(digestOf(layer))).length, 0);
    assert.deepEqual(elsewhere.asked, []);
    const allowed = await pull(urls, { mediaType, registry: { foreignLayers: ['127.0.0.0/8'] } });
    assert.equal(allowed.id, digestOf(config));
    assert.deepEqual(elsewhere.asked, ['GET /layer']);
  });
}

const registry = { foreignLayers: ['127.0.0.1'] };
test('a foreign layer comes from the first of its addresses that has it', async () => {
  await using elsewhere = await scriptedRegistry({ 'GET /second': reply(200, layer) });
  const urls = ['no address', `http://${elsewhere.host}/first`, `http://${elsewhere.host}/second`];
  assert.equal((await pull(urls, { registry })).id, digestOf(config));
  assert.deepEqual(elsewhere.asked, ['GET /first', 'GET /second']);
});

const bad: readonly (readonly [what: string, urls: readonly string[], code: string, message: RegExp])[] = [
  ['no address', [], 'not_found', /its descriptor names no address/],
  ['an address of a file', ['file:///etc/passwd'], 'forbidden', /keeps a layer at file:/],
  ['words for an address', ['nowhere'], 'not_found', /names no address/],
];
for (const [what, urls, code, message] of bad) {
  test(`a foreign layer with ${what} is refused`, async () => {
    const refused = await pull(urls, { registry });
    assert.equal(refused.code, code);
    assert.match(refused.message ?? '', message);
  });
}

test('a foreign layer whose address has other bytes, or is not there, is refused', async () => {
  await using elsewhere = await scriptedRegistry({ 'GET /other': reply(200, Buffer.alloc(layer.length)) });
  assert.equal((await pull([`http://${elsewhere.host}/other`], { registry })).code, 'data_loss');
  assert.equal((await pull([`http://${elsewhere.host}/gone`], { registry })).code, 'not_found');
});
