import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Progress } from '@gantry/sdk/engine';
import { busyboxLayer } from '../../support/images/busybox.ts';
import { dockerRegistry } from '../../support/servers/docker-registry.ts';
import { digestOf, makeImage } from '../../support/images/image-archive.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type Reply, reply, scriptedRegistry } from '../../support/servers/scripted-registry.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';
import { architecture, blobPath, configOf, manifestOf, served, small, types } from '../../support/plugins/served-image.ts';
import { RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

/** A place for one test: a registry, and rooms that go with it. */
async function world(): Promise<{ readonly host: string; readonly room: () => RoomUnderTest } & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), 'registry-'));
  const opened = new AsyncDisposableStack();
  opened.defer(() => rmSync(folder, { recursive: true, force: true }));
  const { host } = opened.use(await dockerRegistry(folder));
  return { host, room: () => opened.use(RoomUnderTest.open()), [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function told(work: (onProgress: (progress: Progress) => void) => Promise<void>): Promise<readonly string[]> {
  const lines: string[] = [];
  await work(({ status, id, progressDetail, aux }) => {
    if (progressDetail?.current !== undefined) return;
    lines.push([id, status, aux === undefined ? undefined : JSON.stringify(aux)].filter((word) => word !== undefined).join(': '));
  });
  return lines;
}

test('what one engine pushed another pulls: the same image, told in the words that the docker CLI shows', async () => {
  await using place = await world();
  const [first, second] = [place.room(), place.room()];
  const name = `${place.host}/acme/app:1`;
  const image = makeImage({ reference: name, layers: [busyboxLayer(), small('a')], config: { Labels: { a: 'b' } } });
  await first.load(image.archive);
  first.takeEvents();
  const [low = '', high = ''] = image.diffIds.map((diffId) => diffId.slice(7, 19));
  const pushed = await told((onProgress) => first.images.push(name, { onProgress }));
  const digest = /digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(pushed.join('\n'))?.[1] ?? '';
  assert.deepEqual(pushed.slice(0, 3), [
    `The push refers to repository [${place.host}/acme/app]`,
    `${low}: Preparing`,
    `${high}: Preparing`,
  ]);
  assert.ok(pushed.includes(`${low}: Pushed`) && pushed.includes(`${high}: Pushed`), pushed.join('\n'));
  assert.match(pushed.at(-1) ?? '', new RegExp(`"Tag":"1","Digest":"${digest}"`));
  assert.deepEqual(first.takeEvents(), [`push ${place.host}/acme/app`]);
  assert.deepEqual(first.images.inspect(name).repoDigests, [`${place.host}/acme/app@${digest}`]);

  const pulled = await told((onProgress) => second.images.pull(name, { onProgress }));
  assert.equal(pulled[0], '1: Pulling from acme/app');
  assert.deepEqual(pulled.slice(-2), [`Digest: ${digest}`, `Status: Downloaded newer image for ${name}`]);
  assert.equal(pulled.filter((line) => line.endsWith('Pulling fs layer')).length, 2);
  assert.equal(pulled.filter((line) => line.endsWith('Pull complete')).length, 2);
  assert.equal(second.images.inspect(name).id, image.imageId);
  assert.deepEqual(second.images.inspect(name).repoDigests, [`${place.host}/acme/app@${digest}`]);
  assert.deepEqual(second.takeEvents(), [`pull ${place.host}/acme/app`]);

  assert.deepEqual(await told((onProgress) => second.images.pull(name, { onProgress })), [
    '1: Pulling from acme/app',
    `Digest: ${digest}`,
    `Status: Image is up to date for ${name}`,
  ]);
  const again = await told((onProgress) => first.images.push(name, { onProgress }));
  assert.equal(again.filter((line) => line.endsWith('Layer already exists')).length, 2);
});

test('a layer that another repository of the registry has is mounted from there, not sent', async () => {
  await using place = await world();
  const room = place.room();
  const [first, second] = [`${place.host}/acme/base:1`, `${place.host}/acme/app:1`];
  await room.load(makeImage({ reference: first, layers: [small('below')] }).archive);
  await room.images.push(first, {});
  await room.images.tag(first, second);
  const lines = await told((onProgress) => room.images.push(second, { onProgress }));
  assert.ok(lines.includes(`${digestOf(small('below')).slice(7, 19)}: Mounted from acme/base`), lines.join('\n'));
  await using other = RoomUnderTest.open();
  await other.images.pull(second, {});
  assert.equal(other.images.inspect(second).id, room.images.inspect(first).id);
});

test('layers that are here already, from wherever, do not come again', async () => {
  const shared = gzipSync(small('shared'));
  const own = gzipSync(small('own'));
  const below = configOf([digestOf(small('shared'))]);
  const above = configOf([digestOf(small('shared')), digestOf(small('own'))]);
  const [layerType] = [`${types.layer}+gzip`];
  await using source = await served({ name: 'below', blobs: [below, shared], manifest: manifestOf(below, [[layerType, shared]]) });
  await using room = RoomUnderTest.open();
  await room.images.pull(`${source.host}/acme/below:1`, {});
  await using other = await served({
    name: 'above',
    blobs: [above, shared, own],
    manifest: manifestOf(above, [
      [layerType, shared],
      [layerType, own],
    ]),
  });
  const lines = await told((onProgress) => room.images.pull(`${other.host}/acme/above:1`, { onProgress }));
  assert.ok(lines.includes(`${digestOf(shared).slice(7, 19)}: Already exists`), lines.join('\n'));
  assert.equal(other.asked.filter((line) => line.includes(digestOf(shared))).length, 0);
});

test('ten pulls of the same image at once fetch each blob once, and all have it', async () => {
  const layers = [gzipSync(small('one')), gzipSync(small('two'))];
  const config = configOf([digestOf(small('one')), digestOf(small('two'))]);
  const manifest = manifestOf(
    config,
    layers.map((layer) => [`${types.layer}+gzip`, layer] as const),
  );
  await using source = await served({ name: 'many', blobs: [config, ...layers], manifest, delayMs: 30 });
  await using room = RoomUnderTest.open();
  const before = await room.left();
  await Promise.all(Array.from({ length: 10 }, () => room.images.pull(`${source.host}/acme/many:1`, {})));
  for (const layer of layers) assert.equal(source.asked.filter((line) => line.includes(`/blobs/${digestOf(layer)}`)).length, 1);
  assert.equal(room.images.inspect(`${source.host}/acme/many:1`).id, digestOf(config));
  assert.deepEqual((await room.left()).ingest, before.ingest);
});

test('a download that breaks off goes on where it was', async () => {
  const layer = Buffer.concat([entry('large', Buffer.alloc(300_000, 'x')), endOfArchive]);
  const config = configOf([digestOf(layer)]);
  await using source = await served({
    name: 'broken',
    blobs: [config],
    manifest: manifestOf(config, [[types.layer, layer]]),
    also: { [blobPath('broken', layer)]: breakingAt(layer, 100_000) },
  });
  await using room = RoomUnderTest.open();
  const lines = await told((onProgress) => room.images.pull(`${source.host}/acme/broken:1`, { onProgress }));
  assert.ok(
    lines.some((line) => line.endsWith('Retrying in 1 second')),
    lines.join('\n'),
  );
  assert.equal(room.images.inspect(`${source.host}/acme/broken:1`).id, digestOf(config));
});

test('a registry that never answers keeps nobody from another, and who gives up waiting for it is free at once', async () => {
  const layers = ['1', '2', '3', '4', '5'].map(small);
  const config = configOf(layers.map(digestOf));
  const manifest = manifestOf(
    config,
    layers.map((layer) => [types.layer, layer] as const),
  );
  const silent = Object.fromEntries(layers.map((layer) => [blobPath('same', layer), () => undefined] as const));
  await using hung = await served({ name: 'same', blobs: [config], manifest, also: silent });
  await using well = await served({ name: 'same', blobs: [config, ...layers], manifest });
  await using room = RoomUnderTest.open();
  const before = await room.left();
  const ending = new AbortController();
  const givenUp = assert.rejects(room.images.pull(`${hung.host}/acme/same:1`, { signal: ending.signal }), { name: 'AbortError' });
  while (hung.asked.filter((line) => layers.some((layer) => line.includes(digestOf(layer)))).length < 3) await sleep(5);
  await room.images.pull(`${well.host}/acme/same:1`, {});
  const began = performance.now();
  ending.abort();
  await givenUp;
  assert.ok(performance.now() - began < 5_000);
  await room.images.remove(`${well.host}/acme/same:1`, { force: true, prune: true });
  assert.deepEqual(await room.left(), before);
});

test('the image for the wanted platform is chosen from an index; what it does not have is told with what it has', async () => {
  const layer = gzipSync(small('p'));
  const images = ['amd64', 'arm64', 's390x'].map((each) => {
    const config = configOf([digestOf(small('p'))], each);
    return { each, config, manifest: manifestOf(config, [[`${types.layer}+gzip`, layer]]) };
  });
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.index,
      manifests: images.map(({ each, manifest }) => ({
        mediaType: types.manifest,
        digest: digestOf(manifest),
        size: manifest.length,
        platform: { os: 'linux', architecture: each },
      })),
    }),
  );
  const also = Object.fromEntries(
    images.map(
      ({ manifest }) =>
        [`GET /v2/acme/many/manifests/${digestOf(manifest)}`, reply(200, manifest, { 'content-type': types.manifest })] as const,
    ),
  );
  await using source = await served({
    name: 'many',
    blobs: [layer, ...images.map(({ config }) => config)],
    manifest: index,
    mediaType: types.index,
    also,
  });
  await using room = RoomUnderTest.open();
  const name = `${source.host}/acme/many:1`;
  await room.images.pull(name, {});
  assert.equal(room.images.inspect(name).config.architecture, architecture);
  assert.deepEqual(room.images.inspect(name).repoDigests, [`${source.host}/acme/many@${digestOf(index)}`]);
  await room.images.pull(name, { platform: 'linux/s390x' });
  assert.equal(room.images.inspect(name, { platform: 'linux/s390x' }).config.architecture, 's390x');
  assert.equal(room.images.inspect(name).config.architecture, architecture);
  await assert.rejects(room.images.pull(name, { platform: 'linux/riscv64' }), {
    code: 'not_found',
    message: /no matching manifest for linux\/riscv64/,
    hint: /linux\/amd64, linux\/arm64, linux\/s390x/,
  });
  await assert.rejects(room.images.pull(name, { platform: 'a/b/c/d' }), { code: 'invalid_argument' });
});

test('a pull that is given up leaves nothing, and the other one that wants the same goes on', async () => {
  const layer = Buffer.concat([entry('large', Buffer.alloc(300_000, 'x')), endOfArchive]);
  const config = configOf([digestOf(layer)]);
  await using source = await served({
    name: 'slow',
    blobs: [config, layer],
    manifest: manifestOf(config, [[types.layer, layer]]),
    delayMs: 200,
  });
  await using room = RoomUnderTest.open();
  const before = await room.left();
  const ending = new AbortController();
  const name = `${source.host}/acme/slow:1`;
  const givenUp = assert.rejects(
    room.images.pull(name, { signal: ending.signal, onProgress: ({ status }) => status === 'Pulling fs layer' && ending.abort() }),
    { name: 'AbortError' },
  );
  const other = room.images.pull(name, {});
  await givenUp;
  await other;
  assert.equal(room.images.inspect(name).id, digestOf(config));
  await room.images.remove(name, { force: true, prune: true });
  assert.deepEqual((await room.left()).ingest, before.ingest);
  assert.deepEqual((await room.left()).blobs, before.blobs);
});

test('all tags of a repository are pulled when they are asked for, page by page; a tag is looked at without its layers', async () => {
  const layer = gzipSync(small('t'));
  const config = configOf([digestOf(small('t'))]);
  const manifest = manifestOf(config, [[`${types.layer}+gzip`, layer]]);
  const list: Reply = (request, response, body) => {
    const isLast = request.url?.includes('last=') === true;
    const headers = isLast ? {} : { link: '</v2/acme/tags/tags/list?last=1&n=1>; rel="next"' };
    reply(200, { name: 'acme/tags', tags: [isLast ? '2' : '1'] }, headers)(request, response, body);
  };
  const also = {
    'GET /v2/acme/tags/tags/list': list,
    'GET /v2/acme/tags/manifests/2': reply(200, manifest, { 'content-type': types.manifest }),
  };
  await using source = await served({ name: 'tags', blobs: [config, layer], manifest, also });
  await using room = RoomUnderTest.open();
  const name = `${source.host}/acme/tags`;
  const { descriptor, platforms } = await room.images.inspectRemote(`${name}:2`, {});
  assert.deepEqual(descriptor, { mediaType: types.manifest, digest: digestOf(manifest), size: manifest.length });
  assert.deepEqual(platforms, [{ os: 'linux', architecture }]);
  assert.equal(source.asked.filter((line) => line.includes(digestOf(layer))).length, 0);
  await room.images.pull(name, { allTags: true });
  assert.deepEqual(room.images.inspect(digestOf(config)).repoTags, [`${name}:1`, `${name}:2`]);
});

test('Images.push() says what is not here, and what the registry says', async () => {
  await using place = await world();
  const room = place.room();
  const image = makeImage({ reference: `${place.host}/a/b:1`, layers: [small('a')] });
  await room.load(image.archive);
  await assert.rejects(room.images.push(`${place.host}/a/b:2`, {}), {
    code: 'not_found',
    message: `An image does not exist locally with the tag: ${place.host}/a/b`,
  });
  await assert.rejects(room.images.push(`${place.host}/nope`, {}), { code: 'not_found' });
  await assert.rejects(room.images.push(`${place.host}/a/b@${digestOf(Buffer.from(''))}`, {}), { code: 'invalid_argument' });
  await room.images.tag(`${place.host}/a/b:1`, `${place.host}/a/b:3`);
  const lines = await told((onProgress) => room.images.push(`${place.host}/a/b`, { onProgress }));
  assert.deepEqual(
    lines.filter((line) => / digest: sha256:/.test(line)).map((line) => line.split(':')[0]),
    ['1', '3'],
  );
  await using refusing = await scriptedRegistry({
    '*': reply(403, { errors: [{ code: 'DENIED', message: 'requested access to the resource is denied' }] }),
  });
  await room.images.tag(`${place.host}/a/b:1`, `${refusing.host}/a/b:1`);
  await assert.rejects(room.images.push(`${refusing.host}/a/b:1`, {}), { code: 'forbidden', message: /denies access/ });
});

/** Sends the beginning and hangs up, once; then what is asked for. */
function breakingAt(bytes: Buffer, at: number): Reply {
  let isBroken = false;
  return (request, response, body) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (isBroken)
      return reply(
        from > 0 ? 206 : 200,
        bytes.subarray(from),
        from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {},
      )(request, response, body);
    isBroken = true;
    response.writeHead(200, { 'content-length': String(bytes.length) });
    response.write(bytes.subarray(0, at), () => response.socket?.destroySoon());
  };
}
