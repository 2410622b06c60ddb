import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type Reply, reply, scriptedRegistry, sha256 } from '../../support/servers/scripted-registry.ts';
import { ann, blob, context, layer, manifest, refuses, type, using_ } from './one-call.ts';

inNamespaces(import.meta.url);
leakGuard();

const uploads = 'POST /v2/acme/nfs/blobs/uploads/';
const pushes: readonly (readonly [string, Readonly<Record<string, Reply>>, Buffer, string, RegExp])[] = [
  ['no Location', { [uploads]: reply(202) }, blob, 'unavailable', /without saying where it goes on/],
  ['a Location in a file', { [uploads]: reply(202, '', { location: 'file:///x' }) }, blob, 'forbidden', /continues an upload at file:/],
  ['an upload that vanished', { [uploads]: reply(202, '', { location: '/u' }), 'PUT /u': reply(404) }, blob, 'not_found', /blob sha256/],
  [
    'another digest',
    { [uploads]: reply(202, '', { location: '/u' }), 'PUT /u': reply(400, { errors: [{ code: 'DIGEST_INVALID' }] }) },
    blob,
    'invalid_argument',
    /DIGEST_INVALID/,
  ],
  ['413', { [uploads]: reply(413, 'too large') }, blob, 'invalid_argument', /answered 413: too large/],
  [
    'bytes of ours that are damaged',
    { [uploads]: reply(202, '', { location: '/u' }), 'PUT /u': reply(201) },
    Buffer.alloc(blob.length),
    'data_loss',
    /what there is to send/,
  ],
  [
    'bytes of ours that are cut',
    { [uploads]: reply(202, '', { location: '/u' }), 'PUT /u': reply(201) },
    blob.subarray(1),
    'data_loss',
    /9999 bytes/,
  ],
];
for (const [what, replies, bytes, code, message] of pushes) {
  test(`upload() fails with ${what}`, async () => {
    await using registry = await scriptedRegistry(replies);
    const content = async function* () {
      yield bytes;
    };
    const request = { host: registry.host, repository: 'acme/nfs', ...layer, content };
    await assert.rejects(
      using_((driver) => driver.upload(request, context)),
      refuses(code, message),
    );
  });
}

test('upload() goes on where the registry says, relative or with a query, and putManifest() checks what was stored', async () => {
  let got: Buffer = Buffer.alloc(0);
  await using registry = await scriptedRegistry({
    [uploads]: reply(202, '', { location: '/u?state=1' }),
    'PUT /u': (request, response, body) => ((got = body), reply(201)(request, response, body)),
    'PUT /v2/acme/nfs/manifests/1': reply(201, '', { 'docker-content-digest': sha256('other') }),
  });
  const place = { host: registry.host, repository: 'acme/nfs' };
  const content = async function* () {
    yield blob.subarray(0, 5);
    yield blob.subarray(5);
  };
  await using_((driver) => driver.upload({ ...place, ...layer, content }, context));
  assert.deepEqual([got.equals(blob), registry.asked[1]], [true, `PUT /u?state=1&digest=${layer.digest.replace(':', '%3A')}`]);
  const put = { ...place, reference: '1', mediaType: type, bytes: Buffer.from(manifest) };
  await assert.rejects(
    using_((driver) => driver.putManifest(put, context)),
    refuses('data_loss', /stored manifest/),
  );
});

test('an upload that goes on at another host takes nobody\u2019s credentials there', async () => {
  await using storage = await scriptedRegistry({ 'PUT /u': reply(201) }, '127.0.0.2');
  const ifKnown: Reply = (request, ...rest) =>
    (request.headers.authorization === undefined
      ? reply(401, '', { 'www-authenticate': 'Basic' })
      : reply(202, '', { location: `http://${storage.host}/u` }))(request, ...rest);
  await using registry = await scriptedRegistry({ [uploads]: ifKnown });
  const content = async function* () {
    yield blob;
  };
  await using_((driver) => driver.upload({ host: registry.host, repository: 'acme/nfs', ...layer, auth: ann, content }, context));
  assert.deepEqual(storage.asked, [`PUT /u?digest=${layer.digest.replace(':', '%3A')}`]);
});

test('putManifest() says what the registry has against a manifest', async () => {
  for (const [answer, message] of [
    [
      reply(400, { errors: [{ code: 'MANIFEST_INVALID', message: 'manifest invalid' }, { code: 'OTHER' }] }),
      /MANIFEST_INVALID: manifest invalid; OTHER$/,
    ],
    [reply(400, `<h1>no</h1>\n${'x'.repeat(1000)}`), /answered 400: no x{297}$/],
    [reply(413), /answered 413$/],
  ] as const) {
    await using registry = await scriptedRegistry({ '*': answer });
    const put = { host: registry.host, repository: 'acme/nfs', reference: '1', mediaType: type, bytes: Buffer.from(manifest) };
    await assert.rejects(
      using_((driver) => driver.putManifest(put, context)),
      refuses('invalid_argument', message),
    );
  }
});
