import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, GantryError } from '@gantry/sdk';
import type { RegistryAuth } from '@gantry/sdk/transport';
import { driverContext, guard } from '../../../core/drivers/index.ts';
import { methodsOf } from '../../../core/drivers/methods.ts';
import { RegistryDriver } from '../../../plugins/transport/registry/driver.ts';
import { settingsOf } from '../../../plugins/transport/registry/settings.ts';
import { leakGuard } from '../../support/leak-guard.ts';
import { inNamespaces } from '../../support/namespaces.ts';
import { quietLog } from '../../support/quiet-log.ts';
import { inTurn, type Reply, reply, type ScriptedRegistry, scriptedRegistry, sha256 } from '../../support/scripted-registry.ts';

inNamespaces(import.meta.url);
leakGuard();

const context = driverContext(quietLog);
const type = 'application/vnd.docker.distribution.manifest.v2+json';
const manifest = JSON.stringify({ schemaVersion: 2, mediaType: type, config: {}, layers: [] });
const blob = Buffer.from('0123456789'.repeat(1000));
const layer = { mediaType: 'x', digest: sha256(blob), size: blob.length };
const atTag = 'GET /v2/acme/nfs/manifests/1';
const atBlob = `GET /v2/acme/nfs/blobs/${layer.digest}`;
const good = reply(200, manifest, { 'content-type': type });
const quick = { answerTimeoutMs: 300, idleTimeoutMs: 300, attempts: 2, retryDelayMs: 1 };

interface Try {
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly auth?: RegistryAuth;
  readonly offset?: number;
}

/** A driver that is used for one call. */
async function using_<T>(work: (driver: RegistryDriver) => Promise<T>, settings: Try['settings'] = {}): Promise<T> {
  using driver = new RegistryDriver(settingsOf({ ...quick, ...settings }));
  return await work(guard(driver, methodsOf.transport, { label: 'transport driver registry' }));
}
function resolve({ host }: ScriptedRegistry, reference = '1', { settings, auth }: Try = {}): Promise<unknown> {
  return using_((driver) => driver.resolve({ host, repository: 'acme/nfs', reference, auth }, context), settings);
}
async function fetch({ host }: ScriptedRegistry, { offset = 0, auth }: Try = {}): Promise<Buffer> {
  return using_(async (driver) => {
    const parts: Buffer[] = [];
    for await (const part of driver.fetch({ host, repository: 'acme/nfs', descriptor: layer, offset, auth }, context))
      parts.push(Buffer.from(part));
    return Buffer.concat(parts);
  });
}
function refuses(code: string, message: RegExp, reason?: string): (error: unknown) => true {
  return (error) => {
    assert.ok(GantryError.is(error), String(error));
    assert.match(error.message, message);
    assert.equal(codeOf(error), code, error.message);
    if (reason !== undefined) assert.equal(error.reason, reason);
    return true;
  };
}

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
  ['other bytes', reply(200, Buffer.alloc(blob.length)), 'data_loss', /its bytes have digest/],
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

const auth = { username: 'ann', password: 'secret' };
const bearer = (realm: string, more = ''): Reply => reply(401, '', { 'www-authenticate': `Bearer realm="${realm}",service="s"${more}` });

test('resolve() gets a token for plugins once, and gives it to the registry only', async () => {
  await using registry: ScriptedRegistry = await scriptedRegistry({
    [atTag]: (request, ...rest) =>
      (request.headers.authorization === 'Bearer t' ? good : bearer(`http://${registry.host}/token`, ',scope="repository:acme/nfs:pull"'))(
        request,
        ...rest,
      ),
    'GET /token': reply(200, { token: 't', access_token: 'other', expires_in: 300 }),
  });
  using driver = new RegistryDriver(settingsOf(quick));
  const place = { host: registry.host, repository: 'acme/nfs', resource: 'plugin', reference: '1', auth } as const;
  for (const _ of [1, 2]) await driver.resolve(place, context);
  const basic = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
  const scopes = 'scope=repository%28plugin%29%3Aacme%2Fnfs%3Apull&scope=repository%3Aacme%2Fnfs%3Apull';
  assert.deepEqual(registry.asked, [
    'GET /v2/acme/nfs/manifests/1',
    `GET /token?service=s&${scopes}&account=ann ${basic}`,
    'GET /v2/acme/nfs/manifests/1 Bearer t',
    'GET /v2/acme/nfs/manifests/1 Bearer t',
  ]);
});

test('resolve() sends credentials as they are to who wants them so, and an identity token as a form', async () => {
  const ifKnown =
    (header: string, challenge: Reply): Reply =>
    (request, ...rest) =>
      (request.headers.authorization === header ? good : challenge)(request, ...rest);
  const basic = reply(401, '', { 'www-authenticate': 'Negotiate, Basic realm="x"' });
  await using plain = await scriptedRegistry({ [atTag]: ifKnown(`Basic ${Buffer.from('ann:secret').toString('base64')}`, basic) });
  await resolve(plain, '1', { auth });
  let form = '';
  await using identity: ScriptedRegistry = await scriptedRegistry({
    [atTag]: (...given) => ifKnown('Bearer t', bearer(`http://${identity.host}/token`))(...given),
    'POST /token': (request, response, body) => ((form = body.toString()), reply(200, { access_token: 't' })(request, response, body)),
  });
  await resolve(identity, '1', { auth: { identityToken: 'id' } });
  assert.match(form, /grant_type=refresh_token&refresh_token=id&client_id=gantry&scope=repository/);
  await using own = await scriptedRegistry({ [atTag]: ifKnown('Bearer r', basic) });
  await resolve(own, '1', { auth: { registryToken: 'r' } });
});

const challenges: readonly (readonly [string, Reply, Reply, RegExp, string, RegistryAuth?])[] = [
  ['401 without a challenge', reply(401), good, /of a kind that is not known: none named/, 'unauthorized'],
  ['an unknown scheme', reply(401, '', { 'www-authenticate': 'Digest x="y"' }), good, /not known: digest/, 'unauthorized'],
  ['Bearer without a realm', reply(401, '', { 'www-authenticate': 'Bearer' }), good, /names no token server/, 'unavailable'],
  ['a realm that is no address', bearer('nonsense'), good, /names no token server/, 'unavailable'],
  ['a realm in a file', bearer('file:///x'), good, /file: address/, 'forbidden'],
  ['a realm with credentials in it', bearer('http://a:b@127.0.0.1/'), good, /puts credentials/, 'forbidden'],
  [
    'Basic without credentials of ours',
    reply(401, '', { 'www-authenticate': 'Basic' }),
    good,
    /wants credentials for acme\/nfs$/,
    'unauthorized',
  ],
  ['401 for ever', bearer('TOKEN'), reply(200, { token: 't' }), /does not accept the credentials/, 'unauthorized', auth],
  ['401 for ever, without credentials of ours', bearer('TOKEN'), reply(200, { token: 't' }), /wants credentials for/, 'unauthorized'],
  ['a token server that refuses', bearer('TOKEN'), reply(401, 'no'), /token server .*: no/, 'unauthorized', auth],
  ['a token server that sends no token', bearer('TOKEN'), reply(200, {}), /without a token/, 'unavailable'],
  ['a token with a line break', bearer('TOKEN'), reply(200, { token: 'a\r\nb: c' }), /without a token/, 'unavailable'],
  ['a token server that sends null', bearer('TOKEN'), reply(200, 'null'), /without a token/, 'unavailable'],
  ['a token server that sends HTML', bearer('TOKEN'), reply(200, '<html>'), /no JSON/, 'unavailable'],
  ['a token server that sends 2 MiB', bearer('TOKEN'), reply(200, Buffer.alloc(2 ** 21)), /more than 1048576/, 'data_loss'],
  ['a token server that redirects', bearer('TOKEN'), reply(302, '', { location: '/x' }), /answered 302/, 'invalid_argument', auth],
];
for (const [what, challenge, token, message, code, given] of challenges) {
  test(`resolve() ends with ${what}`, async () => {
    await using tokens = await scriptedRegistry({ '*': token });
    const here: Reply = (request, response, body) => {
      const write = response.writeHead.bind(response) as (status: number, headers: Record<string, string>) => ServerResponseLike;
      Object.assign(response, {
        writeHead: (status: number, headers: Record<string, string>) =>
          write(status, JSON.parse(JSON.stringify(headers).replace('TOKEN', `http://${tokens.host}/token`)) as Record<string, string>),
      });
      challenge(request, response, body);
    };
    await using registry = await scriptedRegistry({ '*': here });
    await assert.rejects(resolve(registry, '1', given === undefined ? {} : { auth: given }), refuses(code, message));
    assert.ok(registry.asked.length <= 2, registry.asked.join('\n'));
  });
}
type ServerResponseLike = ReturnType<Parameters<Reply>[1]['writeHead']>;

test('credentials never go to another host, whatever the registry says', async () => {
  await using other = await scriptedRegistry({ '*': reply(200, blob) }, '127.0.0.2');
  await using redirecting = await scriptedRegistry({
    [atBlob]: (request, ...rest) =>
      (request.headers.authorization === undefined
        ? reply(401, '', { 'www-authenticate': 'Basic' })
        : reply(307, '', { location: `http://${other.host}/storage` }))(request, ...rest),
  });
  assert.deepEqual(await fetch(redirecting, { auth }), blob);
  await using elsewhere = await scriptedRegistry({ '*': bearer(`http://${other.host}/token`) });
  await assert.rejects(resolve(elsewhere, '1', { auth }), refuses('forbidden', /wants credentials sent to 127\.0\.0\.2.*another site/));
  assert.deepEqual(other.asked, ['GET /storage']);
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

test('resolve() asks a token server in trouble again', async () => {
  await using registry: ScriptedRegistry = await scriptedRegistry({
    [atTag]: (request, ...rest) =>
      (request.headers.authorization === 'Bearer t' ? good : bearer(`http://${registry.host}/token`))(request, ...rest),
    'GET /token': inTurn(reply(500), reply(503), reply(500), reply(200, { token: 't' })),
  });
  await resolve(registry, '1', { settings: { attempts: 4 } });
  assert.equal(registry.asked.filter((line) => line.startsWith('GET /token')).length, 4);
});

for (const expiresIn of [0, -1, 'abc', null, undefined, 1e12, 3]) {
  test(`a token that lasts ${String(expiresIn)} seconds is good for what it was asked for`, async () => {
    await using registry: ScriptedRegistry = await scriptedRegistry({
      [atTag]: (request, ...rest) =>
        (request.headers.authorization === 'Bearer t' ? good : bearer(`http://${registry.host}/token`))(request, ...rest),
      'GET /token': reply(200, { token: 't', expires_in: expiresIn }),
    });
    using driver = new RegistryDriver(settingsOf(quick));
    for (const _ of [1, 2]) await driver.resolve({ host: registry.host, repository: 'acme/nfs', reference: '1' }, context);
    // One that is about to end is not used again; what is no time is as if nothing had been said.
    assert.equal(registry.asked.filter((line) => line.startsWith('GET /token')).length, expiresIn === 3 ? 2 : 1);
  });
}

test('login() takes no page for a registry', async () => {
  for (const [answer, message] of [
    [reply(200, '<html>', { 'content-type': 'text/html; charset=utf-8' }), /answers with a page: it is no registry/],
    [reply(404), /login: not found/],
  ] as const) {
    await using registry = await scriptedRegistry({ '*': answer });
    await assert.rejects(
      using_(async (driver) => driver.login({ host: registry.host, auth }, context)),
      (error: Error) => message.test(error.message),
    );
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
  await using_((driver) => driver.upload({ host: registry.host, repository: 'acme/nfs', ...layer, auth, content }, context));
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
