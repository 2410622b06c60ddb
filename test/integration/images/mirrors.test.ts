import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../support/images/image-archive.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type Reply, reply, type ScriptedRegistry, scriptedRegistry } from '../../support/servers/scripted-registry.ts';
import { blobPath, configOf, manifestOf, served, small, types } from '../../support/plugins/served-image.ts';
import { RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

const layer = small('mirrored');
const config = configOf([digestOf(layer)]);
const image = { name: 'app', blobs: [config, layer], manifest: manifestOf(config, [[types.layer, layer]]) };
const blobs = (registry: ScriptedRegistry): number => registry.asked.filter((line) => line.includes('/blobs/')).length;
const cut: Reply = (_request, response) => {
  response.writeHead(200, { 'content-length': String(layer.length) });
  response.write(layer.subarray(0, 100));
  setTimeout(() => response.destroy(), 20);
};
const behind = (registry: ScriptedRegistry, ...mirrors: readonly string[]) =>
  RoomUnderTest.open({ registry: { mirrors: { [registry.host]: mirrors }, retryDelayMs: 1 } });

test('what the mirror of Docker Hub has comes from there, under its own name', async () => {
  await using mirror = await served(image);
  await using room = RoomUnderTest.open({ registry: { registryMirrors: [`http://${mirror.host}/`] } });
  await room.images.pull('acme/app:1', {});
  assert.deepEqual(room.images.inspect('acme/app:1').repoDigests, [`acme/app@${digestOf(image.manifest)}`]);
});

test('a mirror never sees the credentials, which the registry gets when it asks for them', async () => {
  const closed: Reply = (request, response, body) =>
    request.headers.authorization === undefined
      ? reply(401, '', { 'www-authenticate': 'Basic realm="x"' })(request, response, body)
      : reply(200, image.manifest, { 'content-type': types.manifest })(request, response, body);
  await using mirror = await scriptedRegistry({ '*': reply(401, '', { 'www-authenticate': 'Basic realm="x"' }) });
  await using registry = await served({ ...image, also: { 'GET /v2/acme/app/manifests/1': closed } });
  await using room = behind(registry, `http://${mirror.host}`);
  await room.images.pull(`${registry.host}/acme/app:1`, { auth: { username: 'me', password: 'secret' } });
  assert.ok(mirror.asked.length > 0);
  assert.ok(!mirror.asked.some((line) => line.includes('Basic')), mirror.asked.join('\n'));
  assert.ok(registry.asked.some((line) => line.includes('Basic')));
});

const failing: Readonly<Record<string, { readonly answers: Readonly<Record<string, Reply>>; readonly blobsOfRegistry: number }>> = {
  'has nothing': { answers: {}, blobsOfRegistry: 2 },
  'is in trouble': { answers: { '*': reply(503) }, blobsOfRegistry: 2 },
  'has the manifest but not the blobs': {
    answers: { 'GET /v2/acme/app/manifests/1': reply(200, image.manifest, { 'content-type': types.manifest }) },
    blobsOfRegistry: 2,
  },
  'lies about a layer': {
    answers: {
      'GET /v2/acme/app/manifests/1': reply(200, image.manifest, { 'content-type': types.manifest }),
      [blobPath('app', config)]: reply(200, config),
      [blobPath('app', layer)]: reply(200, Buffer.alloc(layer.length)),
    },
    blobsOfRegistry: 1,
  },
  'breaks off in a layer': {
    answers: {
      'GET /v2/acme/app/manifests/1': reply(200, image.manifest, { 'content-type': types.manifest }),
      [blobPath('app', config)]: reply(200, config),
      [blobPath('app', layer)]: cut,
    },
    blobsOfRegistry: 1,
  },
  'answers a page': { answers: { '*': reply(200, '<html>log in</html>') }, blobsOfRegistry: 2 },
};
for (const [what, { answers, blobsOfRegistry }] of Object.entries(failing)) {
  test(`a mirror that ${what} costs nothing: the registry gives the rest`, async () => {
    await using mirror = await scriptedRegistry(answers);
    await using registry = await served(image);
    await using room = behind(registry, `http://${mirror.host}`);
    await room.images.pull(`${registry.host}/acme/app:1`, {});
    assert.equal(room.images.inspect(`${registry.host}/acme/app:1`).id, digestOf(config));
    assert.ok(mirror.asked.length > 0);
    assert.equal(blobs(registry), blobsOfRegistry, registry.asked.join('\n'));
    assert.deepEqual((await room.left()).ingest, []);
  });
}

test('a dead mirror is asked once in a minute, and the next one in the list takes its place', async () => {
  await using dead = await scriptedRegistry({ '*': (_request, response) => void response.destroy() });
  await using second = await served(image);
  await using registry = await scriptedRegistry({});
  await using room = behind(registry, `http://${dead.host}`, `http://${second.host}`);
  await room.images.pull(`${registry.host}/acme/app:1`, {});
  assert.equal(dead.asked.length, 1, dead.asked.join('\n'));
  assert.equal(blobs(second), 2);
});

test('what nobody has is told as the registry tells it', async () => {
  await using mirror = await scriptedRegistry({});
  await using registry = await scriptedRegistry({});
  await using room = behind(registry, `http://${mirror.host}`);
  await assert.rejects(room.images.pull(`${registry.host}/acme/none:1`, {}), (error: Error) => {
    assert.ok(error.message.includes(registry.host), error.message);
    assert.ok(!error.message.includes(mirror.host), error.message);
    return true;
  });
});
