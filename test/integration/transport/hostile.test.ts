import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GantryError } from '@gantry/sdk';
import { RegistryDriver } from '../../../plugins/transport/registry/driver.ts';
import { settingsOf } from '../../../plugins/transport/registry/settings.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { inTurn, type Reply, reply, scriptedRegistry, sha256 } from '../../support/servers/scripted-registry.ts';
import { atBlob, atTag, blob, context, fetch, good, layer, manifest, refuses, resolve, type, using_ } from './one-call.ts';

inNamespaces(import.meta.url);
leakGuard();

const manifests: readonly (readonly [string, Reply, string, RegExp, string?])[] = [
  ['another digest than was asked for', good, 'data_loss', /has digest sha256:.*, expected sha256:1111/, `sha256:${'1'.repeat(64)}`],
  [
    'another digest than it announces',
    reply(200, manifest, { 'content-type': type, 'docker-content-digest': sha256('x') }),
    'data_loss',
    /expected/,
  ],
  ['HTML', reply(200, '<html>', { 'content-type': 'text/html' }), 'unavailable', /no manifest/],
  ['null', reply(200, 'null', { 'content-type': type }), 'unavailable', /no manifest/],
  ['another type than it announces', reply(200, manifest, { 'content-type': type.replace('v2', 'list.v2') }), 'invalid_argument', /says/],
  ['no known type', reply(200, { schemaVersion: 2, mediaType: 'a/b' }), 'invalid_argument', /media type "a\/b" not supported/],
  ['schema 1', reply(200, { schemaVersion: 1 }), 'invalid_argument', /schema 1 not supported/],
  [
    'layers and manifests',
    reply(200, { schemaVersion: 2, layers: [], manifests: [] }, { 'content-type': type }),
    'invalid_argument',
    /both/,
  ],
  ['more than 4 MiB', reply(200, Buffer.alloc(5 * 2 ** 20), { 'content-type': type }), 'data_loss', /more than 4194304 bytes/],
  ['gzip', reply(200, manifest, { 'content-type': type, 'content-encoding': 'gzip' }), 'unavailable', /compressed/],
  [
    '404',
    reply(404, { errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest\nunknown' }] }),
    'not_found',
    /acme\/nfs: manifest 1: not found: MANIFEST_UNKNOWN: manifest unknown$/,
  ],
  ['403', reply(403, '<b>no</b>'), 'forbidden', /denies access: no$/],
  ['429 for ever', reply(429, '', { 'retry-after': '0' }), 'unavailable', /too many requests/],
  ['500 for ever', reply(500), 'unavailable', /answered 500$/],
  ['503 for ever', reply(503, 'x'.repeat(1000)), 'unavailable', /answered 503: x{300}$/],
  ['a redirect loop', reply(302, '', { location: '/v2/acme/nfs/manifests/1' }), 'unavailable', /redirects more than 5 times/],
  ['a redirect to a file', reply(302, '', { location: 'file:///etc/passwd' }), 'forbidden', /redirects to file:/],
  ['a redirect to nowhere', reply(302), 'unavailable', /redirects to nowhere|file/],
  ['nothing', () => undefined, 'unavailable', /did not answer in 300 ms/],
  ['the end of the connection', (request) => void request.socket.resetAndDestroy(), 'unavailable', /registry 127/],
  [
    'a slow body',
    (_request, response) => void response.writeHead(200, { 'content-type': type }).write('{'),
    'unavailable',
    /sent nothing for 300 ms/,
  ],
];
for (const [what, answer, code, message, reference = '1'] of manifests) {
  test(`resolve() refuses a registry that answers with ${what}`, async () => {
    await using registry = await scriptedRegistry({ '*': answer });
    await assert.rejects(resolve(registry, reference), refuses(code, message));
  });
}

const blobs: readonly (readonly [string, Reply, string, RegExp, string?])[] = [
  ['too many bytes', reply(200, Buffer.concat([blob, blob])), 'data_loss', /20000 bytes come, it should have 10000/],
  [
    'too many bytes that it does not announce',
    (_q, response) => void (response.writeHead(200).write(blob), response.end(blob)),
    'data_loss',
    /more than the 10000 bytes/,
  ],
  ['too few bytes', reply(200, blob.subarray(1)), 'unavailable', /ended after 9999 of 10000 bytes/, 'BLOB_INTERRUPTED'],
  ['no byte', reply(200), 'unavailable', /ended after 0 of/, 'BLOB_INTERRUPTED'],
  [
    'a connection that breaks',
    (_q, response) =>
      void (response.writeHead(200, { 'content-length': '10000' }).write('01'), setTimeout(() => response.socket?.resetAndDestroy(), 50)),
    'unavailable',
    /registry/,
    'BLOB_INTERRUPTED',
  ],
  [
    'a body that stops',
    (_q, response) => void response.writeHead(200).write('01'),
    'unavailable',
    /sent nothing for 300 ms/,
    'BLOB_INTERRUPTED',
  ],
  ['404', reply(404, 'no'), 'not_found', /blob sha256:.*: not found: no/],
  ['no answer', () => undefined, 'unavailable', /did not answer in 300 ms/, 'BLOB_INTERRUPTED'],
  ['a redirect to a file', reply(307, '', { location: 'file:///etc/passwd' }), 'forbidden', /redirects to file:/],
  ['gzip', reply(200, blob, { 'content-encoding': 'gzip' }), 'unavailable', /compressed it/],
  [
    'a chunk that is none',
    (_q, response) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked' }).flushHeaders();
      response.socket?.end('5\r\n01234\r\nnonsense\r\n');
    },
    'unavailable',
    /registry 127/,
    'BLOB_INTERRUPTED',
  ],
];
for (const [what, answer, code, message, reason] of blobs) {
  test(`fetch() refuses a registry that answers a blob with ${what}`, async () => {
    await using registry = await scriptedRegistry({ '*': answer });
    await assert.rejects(fetch(registry), refuses(code, message, reason));
  });
}

const part = (range: string, body: Buffer): Reply => reply(206, body, { 'content-range': range });
test('fetch() goes on in the middle, also with a registry that sends all of it', async () => {
  await using whole = await scriptedRegistry({ '*': reply(200, blob) });
  await using partly = await scriptedRegistry({ '*': part('bytes 9000-9999/10000', blob.subarray(9000)) });
  assert.deepEqual(await fetch(whole, { offset: 9000 }), blob.subarray(9000));
  assert.deepEqual(await fetch(partly, { offset: 9000 }), blob.subarray(9000));
  assert.deepEqual(await fetch(partly, { offset: 10_000 }), Buffer.alloc(0));
  await using other = await scriptedRegistry({ '*': part('bytes 8000-9999/10000', blob.subarray(8000)) });
  await assert.rejects(fetch(other, { offset: 9000 }), refuses('unavailable', /asked for bytes from 9000 on/));
  await using beyond = await scriptedRegistry({ '*': reply(416) });
  await assert.rejects(fetch(beyond, { offset: 9000 }), refuses('invalid_argument', /answered 416/));
});

test('resolve() tries again what may be better in a moment, and does so no more than it is told', async () => {
  await using registry = await scriptedRegistry({ [atTag]: inTurn(reply(503), reply(429, '', { 'retry-after': '0' }), good) });
  await resolve(registry, '1', { settings: { attempts: 3 } });
  assert.equal(registry.asked.length, 3);
});

test('fetch() goes on in a body that comes byte by byte', async () => {
  const slow = async function* () {
    for (const bytes of [blob.subarray(0, 1), blob.subarray(1, 2), blob.subarray(2, 3), blob.subarray(3)]) {
      await sleep(150);
      yield bytes;
    }
  };
  await using registry = await scriptedRegistry({ '*': (_request, response) => void Readable.from(slow()).pipe(response.writeHead(200)) });
  assert.deepEqual(await fetch(registry), blob);
});

test('what a registry has too much to do for is asked five times in all, what it refuses once', async () => {
  for (const [status, times] of [
    [503, 5],
    [429, 5],
    [500, 5],
    [400, 1],
    [403, 1],
    [404, 1],
  ] as const) {
    await using registry = await scriptedRegistry({ '*': reply(status) });
    await assert.rejects(resolve(registry, '1', { settings: { attempts: 5 } }));
    assert.equal(registry.asked.length, times, String(status));
  }
});

test('resolve() and fetch() end when they are told to', async () => {
  await using registry = await scriptedRegistry({
    [atTag]: () => undefined,
    [atBlob]: (_q, response) => void response.writeHead(200).write('01'),
  });
  const stop = new AbortController();
  const place = { host: registry.host, repository: 'acme/nfs' };
  using driver = new RegistryDriver(settingsOf({}));
  const resolving = driver.resolve({ ...place, reference: '1' }, { ...context, signal: stop.signal });
  const fetching = driver.fetch({ ...place, descriptor: layer, offset: 0 }, { ...context, signal: stop.signal })[Symbol.asyncIterator]();
  await fetching.next();
  const next = fetching.next();
  stop.abort();
  await assert.rejects(resolving, { name: 'AbortError' });
  await assert.rejects(next, { name: 'AbortError' });
});

const requests: readonly (readonly [string, { readonly host?: string; readonly repository?: string; readonly reference?: string }])[] = [
  ['a path as a host', { host: 'a/b' }],
  ['credentials in a host', { host: 'a@b' }],
  ['an empty host', { host: '' }],
  ['a climbing repository', { repository: 'a/../b' }],
  ['a query in a repository', { repository: 'a?b' }],
  ['a path as a tag', { reference: '../x' }],
  ['an unknown digest', { reference: 'sha512:00' }],
];
for (const [what, request] of requests) {
  test(`resolve() refuses ${what} and asks nobody`, async () => {
    const place = { host: '127.0.0.1:1', repository: 'acme/nfs', reference: '1', ...request };
    await assert.rejects(
      using_((driver) => driver.resolve(place, context)),
      refuses('invalid_argument', /^invalid/),
    );
  });
}

test('a registry that is not there is named, with what may help', async () => {
  const place = { host: '127.0.0.1:1', repository: 'acme/nfs', reference: '1' };
  await assert.rejects(
    using_((driver) => driver.resolve(place, context)),
    (error: GantryError) => {
      assert.deepEqual([error.code, error.hint], ['unavailable', 'is the registry running, and is the port right?']);
      return /registry 127\.0\.0\.1:1: .*ECONNREFUSED/.test(error.message);
    },
  );
});
