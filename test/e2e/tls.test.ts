import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { type Certificates, makeCertificates } from '../support/servers/certificates.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const program = join(import.meta.dirname, '../../core/bin/gantryd.mjs');
const folder = mkdtempSync(join(tmpdir(), 'tls-'));
const port = 23760;
let certificates: Certificates;
let strangers: Certificates;
let daemon: Daemon;
before(async () => {
  certificates = makeCertificates();
  strangers = makeCertificates();
  const { ca, server } = certificates;
  const flags = ['-H', `tcp://127.0.0.1:${port}`, '--tlsverify', '--tlscacert', ca, '--tlscert', server.cert, '--tlskey', server.key];
  daemon = await Daemon.start({ folder, flags });
  const { archive } = busyboxImage();
  await new DockerApi(daemon.places.socketPath).request('POST /images/load', {
    body: archive,
    headers: { 'Content-Type': 'application/x-tar' },
  });
});
after(() => daemon[Symbol.asyncDispose]());

interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly files?: { readonly cert: string; readonly key: string } | undefined;
}

async function ask({
  path,
  method = 'GET',
  headers = {},
  files = certificates.client,
}: Asked): Promise<{ readonly status: number; readonly body: string }> {
  const answered = Promise.withResolvers<{ readonly status: number; readonly body: string }>();
  const identity = { cert: readFileSync(files.cert), key: readFileSync(files.key) };
  const asked = request(
    {
      host: '127.0.0.1',
      port,
      path,
      method,
      headers,
      ca: readFileSync(certificates.ca),
      agent: false,
      checkServerIdentity: () => undefined,
      ...identity,
    },
    (answer) => {
      void text(answer).then((body) => answered.resolve({ status: answer.statusCode ?? 0, body }), answered.reject);
    },
  );
  asked.on('error', answered.reject).end();
  return answered.promise;
}

test('a client with a certificate of the authority is served, and told by name in the audit', async () => {
  assert.deepEqual(await ask({ path: '/_ping' }), { status: 200, body: 'OK' });
  assert.equal((await ask({ path: '/containers/nope/start', method: 'POST' })).status, 404);
  assert.match(daemon.log, /"audit":true,"method":"POST","path":"\/containers\/nope\/start","user":"client","address":"127\.0\.0\.1:\d+"/);
});

test('a client with another authority’s certificate, or with none, is not heard', async () => {
  await assert.rejects(ask({ path: '/_ping', files: strangers.client }), { code: /ECONNRESET|ERR_SSL/ });
  const { status } = spawnSync('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_2', '-CAfile', certificates.ca], {
    input: 'GET /_ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  assert.notEqual(status, 0);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/_ping`));
  assert.deepEqual(await ask({ path: '/_ping' }), { status: 200, body: 'OK' }, 'others are served on');
});

test('old TLS, web pages and names that are not the server’s are refused', async () => {
  const old = spawnSync('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_1'], {
    input: '',
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  assert.notEqual(old.status, 0);
  for (const [headers, status, message] of [
    [{ Origin: 'https://page.example' }, 403, 'requests of web pages are not served'],
    [{ Host: 'rebound.example' }, 421, 'the server\'s certificate is not for host "rebound.example"'],
    [{ Host: 'rebound\u00e9' }, 421, undefined],
    [{ Host: '[::1]:1' }, 421, undefined],
    [{ Host: 'localhost:1' }, 200, undefined],
  ] as const) {
    const answer = await ask({ path: '/version', headers }).catch((error: unknown) =>
      assert.fail(`${JSON.stringify(headers)}: ${String(error)}\n${daemon.log.slice(-2500)}`),
    );
    assert.equal(answer.status, status, answer.body);
    if (message !== undefined) assert.deepEqual(JSON.parse(answer.body), { message });
  }
});

test('the docker CLI runs a container over mutual TLS, its streams upgraded', {
  skip: spawnSync('docker', ['--version']).status === 0 ? false : 'needs the docker CLI',
}, () => {
  const { ca, client } = certificates;
  const home = join(folder, 'cli');
  mkdirSync(home);
  for (const [name, from] of Object.entries({ 'ca.pem': ca, 'cert.pem': client.cert, 'key.pem': client.key }))
    copyFileSync(from, join(home, name));
  const env = {
    ...process.env,
    DOCKER_HOST: `tcp://127.0.0.1:${port}`,
    DOCKER_TLS_VERIFY: '1',
    DOCKER_CERT_PATH: home,
    DOCKER_CONFIG: home,
  };
  const { stdout, stderr, status } = spawnSync('docker', ['run', '--rm', '-i', 'busybox', 'cat'], {
    env,
    encoding: 'utf8',
    input: 'by wire',
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
  assert.deepEqual([status, stdout], [0, 'by wire'], stderr);
});

test('on a unix socket the audit tells the caller’s process and user', async () => {
  const { status } = await new DockerApi(daemon.places.socketPath).request('POST /volumes/create?x=secret', { body: { Name: 'told' } });
  assert.equal(status, 201);
  const line = daemon.log.split('\n').find((each) => each.includes('"/volumes/create"')) ?? '';
  const { audit, method, path, pid, uid, gid } = JSON.parse(line) as Record<string, unknown>;
  assert.deepEqual(
    { audit, method, path, pid, uid, gid },
    { audit: true, method: 'POST', path: '/volumes/create', pid: process.pid, uid: 0, gid: 0 },
  );
});

test('gantryd refuses a tcp host without all that mutual TLS needs, in one line', () => {
  const bad = join(folder, 'no-certificate');
  writeFileSync(bad, 'no certificate');
  const { ca, server } = certificates;
  const host = ['-H', 'tcp://127.0.0.1:23761'];
  const files = ['--tlscacert', ca, '--tlscert', server.cert, '--tlskey', server.key];
  const rows: readonly (readonly [readonly string[], RegExp])[] = [
    [
      host,
      /^gantryd: "tcp:\/\/127\.0\.0\.1:23761" is refused: whoever reaches an open port becomes root of this machine\nhint: give --tlsverify/,
    ],
    [[...host, '--tls'], /is refused/],
    [[...host, ...files], /is refused/],
    [[...host, '--tlsverify'], /^gantryd: tlsverify needs tlscacert\nhint: /],
    [[...host, '--tlsverify', ...files.slice(0, 4)], /^gantryd: tlsverify needs tlskey\n/],
    [[...host, '--tlsverify', '--tlscacert', bad, ...files.slice(2)], /^gantryd: .*no-certificate is no certificate: /m],
    [[...host, '--tlsverify', '--tlscacert', '/nowhere/ca.pem', ...files.slice(2)], /^gantryd: .*\/nowhere\/ca\.pem/m],
    [['-H', 'tcp://127.0.0.1'], /^gantryd: --host: "tcp:\/\/127\.0\.0\.1" is not a host/],
    [['-H', 'tcp://127.0.0.1:0', '--tlsverify', ...files], /is not a host/],
    [['-H', ':2375'], /is not a host/],
    [['-H', 'fd://9'], /^gantryd: cannot listen on fd:\/\/9: no socket was passed there/m],
  ];
  for (const [flags, says] of rows) {
    const roots = ['--data-root', join(folder, 'bad/data'), '--exec-root', join(folder, 'bad/exec'), '--config-file', '/dev/null'];
    const { status, stderr } = spawnSync(process.execPath, [program, ...roots, ...flags], {
      encoding: 'utf8',
      timeout: 30_000,
      killSignal: 'SIGKILL',
    });
    assert.equal(status, 1, `${flags.join(' ')}: ${stderr}`);
    assert.match(
      stderr
        .split('\n')
        .filter((line) => !line.startsWith('{'))
        .join('\n'),
      says,
      flags.join(' '),
    );
  }
});
