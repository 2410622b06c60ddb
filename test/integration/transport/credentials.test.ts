import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistryAuth } from '@gantry/sdk/transport';
import { RegistryDriver } from '../../../plugins/transport/registry/driver.ts';
import { settingsOf } from '../../../plugins/transport/registry/settings.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { inTurn, type Reply, reply, type ScriptedRegistry, scriptedRegistry } from '../../support/servers/scripted-registry.ts';
import { ann, atBlob, atTag, blob, context, fetch, good, quick, refuses, resolve, using_ } from './one-call.ts';

inNamespaces(import.meta.url);
leakGuard();

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
  const place = { host: registry.host, repository: 'acme/nfs', resource: 'plugin', reference: '1', auth: ann } as const;
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
  await resolve(plain, '1', { auth: ann });
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
  ['401 for ever', bearer('TOKEN'), reply(200, { token: 't' }), /does not accept the credentials/, 'unauthorized', ann],
  ['401 for ever, without credentials of ours', bearer('TOKEN'), reply(200, { token: 't' }), /wants credentials for/, 'unauthorized'],
  ['a token server that refuses', bearer('TOKEN'), reply(401, 'no'), /token server .*: no/, 'unauthorized', ann],
  ['a token server that sends no token', bearer('TOKEN'), reply(200, {}), /without a token/, 'unavailable'],
  ['a token with a line break', bearer('TOKEN'), reply(200, { token: 'a\r\nb: c' }), /without a token/, 'unavailable'],
  ['a token server that sends null', bearer('TOKEN'), reply(200, 'null'), /without a token/, 'unavailable'],
  ['a token server that sends HTML', bearer('TOKEN'), reply(200, '<html>'), /no JSON/, 'unavailable'],
  ['a token server that sends 2 MiB', bearer('TOKEN'), reply(200, Buffer.alloc(2 ** 21)), /more than 1048576/, 'data_loss'],
  ['a token server that redirects', bearer('TOKEN'), reply(302, '', { location: '/x' }), /answered 302/, 'invalid_argument', ann],
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
  assert.deepEqual(await fetch(redirecting, { auth: ann }), blob);
  await using elsewhere = await scriptedRegistry({ '*': bearer(`http://${other.host}/token`) });
  await assert.rejects(
    resolve(elsewhere, '1', { auth: ann }),
    refuses('forbidden', /wants credentials sent to 127\.0\.0\.2.*another site/),
  );
  assert.deepEqual(other.asked, ['GET /storage']);
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
      using_(async (driver) => driver.login({ host: registry.host, auth: ann }, context)),
      (error: Error) => message.test(error.message),
    );
  }
});
