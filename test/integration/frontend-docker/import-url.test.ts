import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { busyboxLayer } from '../../support/images/busybox.ts';
import { type DockerApi, dockerApi } from '../../support/clients/docker-api.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

let under: EngineUnderTest;
let api: DockerApi & AsyncDisposable;
let asked = 0;
const server = createServer((request, response) => {
  asked += 1;
  response.setHeader('Connection', 'close');
  if (request.url === '/root.tar.gz') response.end(gzipSync(busyboxLayer()));
  else if (request.url === '/moved') response.writeHead(302, { Location: '/root.tar.gz' }).end();
  else if (request.url === '/junk') response.end('no archive at all');
  else if (request.url === '/cut') response.writeHead(200, { 'Content-Length': '100000' }).write('x', () => response.destroy());
  else response.writeHead(404).end();
});
let address: string;
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  under = await EngineUnderTest.open();
  await under.warm();
  api = await dockerApi(under.engine);
});
after(async () => {
  await api[Symbol.asyncDispose]();
  await under[Symbol.asyncDispose]();
  server.close();
  server.closeAllConnections();
});

const importFrom = (source: string, further = '') => api.request(`POST /images/create?fromSrc=${encodeURIComponent(source)}${further}`);

for (const [what, path, scheme, name] of [
  ['an address', '/root.tar.gz', 'http://', 'one'],
  ['an address without a scheme', '/root.tar.gz', '', 'two'],
  ['an address that leads to another', '/moved', 'http://', 'three'],
] as const) {
  test(`POST /images/create imports from ${what}`, async () => {
    const { status, text } = await importFrom(`${scheme}${address}${path}`, `&repo=${name}&tag=1&changes=CMD%20%5B%22true%22%5D`);
    assert.equal(status, 200, text);
    assert.match(text, new RegExp(`Downloading from http://${address}${path}`));
    assert.match(text, /"status":"sha256:[0-9a-f]{64}"/);
    const { config, comment } = under.engine.images.inspect(`${name}:1`);
    assert.deepEqual(config.config?.Cmd, ['true']);
    assert.equal(comment, `Imported from http://${address}${path}`);
  });
}

test('POST /images/create says what is wrong with an address, and makes no image', async () => {
  const before_ = (await under.engine.images.list({})).length;
  for (const [source, status, message] of [
    ['ftp://127.0.0.1/x', 400, /cannot import from "ftp:\/\/127\.0\.0\.1\/x": it is no http or https address/],
    ['file:///etc/passwd', 400, /it is no http or https address/],
    ['http://', 400, /it is no http or https address/],
    [`http://me:secret@${address}/root.tar.gz`, 400, /an address with a password would be kept with the image/],
    [`http://${address}/nowhere`, 400, /cannot import from http:\/\/127\.0\.0\.1:\d+\/nowhere: 404 Not Found/],
    ['http://127.0.0.1:1/x', 400, /cannot import from http:\/\/127\.0\.0\.1:1\/x: .*ECONNREFUSED/],
  ] as const) {
    const reply = await importFrom(source);
    assert.equal(reply.status, status, `${source}: ${reply.text}`);
    assert.match((JSON.parse(reply.text) as { readonly message: string }).message, message);
    assert.doesNotMatch(reply.text, /secret/);
  }
  for (const path of ['/junk', '/cut']) assert.match((await importFrom(`http://${address}${path}`)).text, /"errorDetail":/, path);
  assert.equal((await under.engine.images.list({})).length, before_);
});

test('POST /images/create asks nobody when something else is wrong', async () => {
  const before_ = asked;
  assert.equal((await importFrom(`http://${address}/root.tar.gz`, '&repo=UPPER')).status, 400);
  assert.equal((await importFrom(`http://${address}/root.tar.gz`, '&changes=NONSENSE')).status, 400);
  assert.equal(asked, before_);
});
