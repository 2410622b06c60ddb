import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { GantryError } from '@gantry/sdk';
import type { RegistryAuth } from '@gantry/sdk/transport';
import { driverContext } from '../../../core/drivers/index.ts';
import { RegistryDriver } from '../../../plugins/transport/registry/driver.ts';
import { settingsOf } from '../../../plugins/transport/registry/settings.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';
import { forwardProxy } from '../../support/servers/forward-proxy.ts';
import { scriptedRegistry } from '../../support/servers/scripted-registry.ts';

inNamespaces(import.meta.url);

// Loopback is spoken to without TLS; this is an address of this machine that is not loopback.
const address = '10.9.8.7';
execFileSync('ip', ['address', 'add', `${address}/32`, 'dev', 'lo']);
const root = mkdtempSync(join(tmpdir(), 'tls-'));
const [key, cert] = [join(root, 'key.pem'), join(root, 'cert.pem')];
const subject = ['-subj', '/CN=registry', '-addext', `subjectAltName=IP:${address}`];
execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject], {
  stdio: 'ignore',
});
leakGuard();

const type = 'application/vnd.oci.image.manifest.v1+json';
const good: RequestListener = (_request, response) =>
  void response.writeHead(200, { 'content-type': type }).end(JSON.stringify({ schemaVersion: 2, mediaType: type }));

async function tlsRegistry(listener: RequestListener, own = cert): Promise<{ readonly host: string } & AsyncDisposable> {
  const server: Server = createServer({ key: readFileSync(key), cert: readFileSync(own) }, listener);
  await new Promise<void>((done) => server.listen(0, address, done));
  return {
    host: `${address}:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Knows the authority of each host unless told otherwise. */
async function resolve(host: string, settings: object = {}, auth?: RegistryAuth, authority = cert): Promise<string> {
  const folder = join(root, 'certs', host);
  mkdirSync(folder, { recursive: true });
  execFileSync('cp', [authority, join(folder, 'ca.crt')]);
  using driver = new RegistryDriver(
    settingsOf({ certificateFolders: [join(root, 'certs')], attempts: 1, answerTimeoutMs: 3000, ...settings }),
  );
  return (await driver.resolve({ host, repository: 'acme/nfs', reference: '1', auth }, driverContext(quietLog))).descriptor.mediaType;
}
const refused =
  (code: string, message: RegExp, hint = /./) =>
  (error: unknown) => {
    assert.ok(GantryError.is(error), String(error));
    assert.match(error.message, message);
    assert.match(error.hint ?? '-', hint);
    assert.equal(error.code, code);
    return true;
  };

test('resolve() speaks TLS to what is not loopback, and knows authorities from a folder as Docker does', async () => {
  await using registry = await tlsRegistry(good);
  assert.equal(await resolve(registry.host), type);
});

test('resolve() refuses a certificate that nobody vouches for, and sends nothing', async () => {
  const asked: unknown[] = [];
  await using registry = await tlsRegistry((request) => void asked.push(request.url));
  await assert.rejects(resolve(registry.host, { certificateFolders: [] }), refused('unavailable', /self-signed certificate/, /certs\.d/));
  assert.deepEqual(asked, []);
});

for (const [what, names, dates, message] of [
  ['for another host', 'IP:10.9.8.1,DNS:other.test', [], /IP: 10\.9\.8\.7 is not in the cert/],
  ['that has expired', `IP:${address}`, ['20200101000000Z', '20200102000000Z'], /certificate has expired/],
  ['that is not valid yet', `IP:${address}`, ['20500101000000Z', '20500102000000Z'], /certificate is not yet valid/],
] as const) {
  test(`resolve() refuses a certificate ${what}, and sends nothing`, async () => {
    const asked: unknown[] = [];
    const own = certificate(names, dates);
    await using registry = await tlsRegistry((request) => void asked.push(request.url), own);
    await assert.rejects(resolve(registry.host, {}, { username: 'a', password: 'b' }, own), refused('unavailable', message, /certs\.d/));
    assert.deepEqual(asked, []);
  });
}

/** Signed by itself, with the key of all; `dates`: from when until when, if not from now on. */
function certificate(names: string, dates: readonly string[]): string {
  const folder = mkdtempSync(join(root, 'certificate-'));
  const settings = `[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=${names}\n`;
  writeFileSync(join(folder, 'settings'), settings);
  writeFileSync(join(folder, 'index'), '');
  const run = (...args: readonly string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  run('req', '-new', '-key', key, '-subj', '/CN=registry', '-out', 'request');
  const [from, until] = dates;
  const valid = from === undefined || until === undefined ? ['-days', '2'] : ['-startdate', from, '-enddate', until];
  run('ca', '-batch', '-selfsign', '-config', 'settings', '-keyfile', key, '-in', 'request', '-out', 'cert.pem', '-notext', ...valid);
  return join(folder, 'cert.pem');
}

test('resolve() speaks plain HTTP to an insecure registry only, by host, address or network', async () => {
  await using registry = await scriptedRegistry({ '*': (request, response) => good(request, response) }, address);
  await assert.rejects(resolve(registry.host, {}, { username: 'a', password: 'b' }), refused('unavailable', /./, /insecureRegistries/));
  assert.deepEqual(registry.asked, []);
  for (const insecure of [registry.host, address, '10.0.0.0/8'])
    assert.equal(await resolve(registry.host, { insecureRegistries: [insecure] }), type);
  await assert.rejects(resolve(registry.host, { insecureRegistries: ['10.0.0.0/16', 'x', '2001:db8::/32'] }), refused('unavailable', /./));
});

for (const [what, location, message] of [
  ['plain http', `http://${address}:1/x`, /redirects to plain http/],
  ['this machine', 'https://127.0.0.1:1/x', /redirects to 127\.0\.0\.1:1, which is this machine's own/],
  ['localhost', 'https://localhost:1/x', /which is this machine's own/],
  ['what clouds answer', 'https://169.254.169.254/x', /which is this machine's own/],
  ['an address in disguise', 'https://2130706433:1/x', /which is this machine's own/],
  ['IPv4 in IPv6', 'https://[::ffff:127.0.0.1]:1/x', /which is this machine's own/],
  ['IPv6 loopback', 'https://[::1]:1/x', /which is this machine's own/],
] as const) {
  test(`resolve() follows no redirect and asks for no token at ${what}`, async () => {
    await using redirecting = await tlsRegistry((_request, response) => void response.writeHead(302, { location }).end());
    await assert.rejects(resolve(redirecting.host), refused('forbidden', message, /-/));
    const challenge = { 'www-authenticate': `Bearer realm="${location}"` };
    await using asking = await tlsRegistry((_request, response) => void response.writeHead(401, challenge).end());
    await assert.rejects(resolve(asking.host, {}, { username: 'a', password: 'b' }), refused('forbidden', /asks for a token at/, /-/));
  });
}

test('resolve() goes by a proxy: a tunnel for TLS, forwarded with its credentials where it is plain', async () => {
  await using proxy = await forwardProxy();
  await using secure = await tlsRegistry(good);
  assert.equal(await resolve(secure.host, { proxies: { https: proxy.url } }), type);
  assert.deepEqual(proxy.asked, [`CONNECT ${secure.host}`]);
  await using plain = await scriptedRegistry({ '*': (request, response) => good(request, response) }, address);
  const http = proxy.url.replace('//', '//me:secret@');
  assert.equal(await resolve(plain.host, { insecureRegistries: [address], proxies: { http } }), type);
  const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
  assert.equal(proxy.asked[1], `GET http://${plain.host}/v2/acme/nfs/manifests/1 ${basic}`);
  assert.ok(!plain.asked.some((line) => line.includes('secret') || line.includes(basic)));
});

for (const none of [address, '10.0.0.0/8', ` other.test , ${address}`, '*'] as const) {
  test(`resolve() asks without the proxy who is in ${JSON.stringify(none)}`, async () => {
    await using proxy = await forwardProxy();
    await using secure = await tlsRegistry(good);
    assert.equal(await resolve(secure.host, { proxies: { https: proxy.url, none } }), type);
    assert.deepEqual(proxy.asked, []);
  });
}

test('resolve() asks a registry of this machine without the proxy, and says that a proxy is not there', async () => {
  await using local = await scriptedRegistry({ '*': (request, response) => good(request, response) });
  const proxies = { http: 'http://127.0.0.1:1', https: 'http://127.0.0.1:1' };
  assert.equal(await resolve(local.host, { proxies }), type);
  await using secure = await tlsRegistry(good);
  await assert.rejects(resolve(secure.host, { proxies }), refused('unavailable', /ECONNREFUSED 127\.0\.0\.1:1/, /proxy/));
});
