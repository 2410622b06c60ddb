import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { makeCertificates } from '../support/servers/certificates.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

// Loopback is spoken to without TLS; this is an address of this machine that is not loopback.
const address = '10.9.8.7';
execFileSync('ip', ['address', 'add', `${address}/32`, 'dev', 'lo']);
const options = { skip: spawnSync('docker', ['--version']).status === 0 ? false : 'needs the docker CLI', timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'login-'));
const certificates = makeCertificates(address);
const authorities = join(folder, 'certs.d');
let daemon: Daemon;
/** Wants a name and a password. */
let closed: Awaited<ReturnType<typeof dockerRegistry>>;
/** Wants a certificate. */
let mutual: Awaited<ReturnType<typeof dockerRegistry>>;

before(async () => {
  closed = await dockerRegistry(join(folder, 'closed'), { address, tls: certificates.server, isClosed: true });
  mutual = await dockerRegistry(join(folder, 'mutual'), { address, tls: certificates.server, clientCa: certificates.ca });
  for (const { host } of [closed, mutual]) {
    mkdirSync(join(authorities, host), { recursive: true });
    copyFileSync(certificates.ca, join(authorities, host, 'ca.crt'));
  }
  const settings = join(folder, 'daemon.json');
  writeFileSync(settings, JSON.stringify({ plugins: { 'gantry.transport.registry': { certificateFolders: [authorities] } } }));
  daemon = await Daemon.start({ folder: join(folder, 'engine'), flags: ['--config-file', settings] });
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await closed[Symbol.asyncDispose]();
  await mutual[Symbol.asyncDispose]();
  certificates[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

const program = join(import.meta.dirname, '../../core/bin/gantry.mjs');
/** Both read and write the logins in the same place. */
function client(name: 'docker' | 'gantry', given: readonly string[], input = '') {
  const host = `unix://${daemon.places.socketPath}`;
  const env = { ...process.env, DOCKER_HOST: host, GANTRY_HOST: host, DOCKER_CONFIG: join(folder, 'logins') };
  const command = name === 'docker' ? ['docker'] : [process.execPath, program];
  const { status, stdout, stderr } = spawnSync(command[0] ?? '', [...command.slice(1), ...given], {
    encoding: 'utf8',
    env,
    input,
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}
const logins = () => readFileSync(join(folder, 'logins/config.json'), 'utf8');

for (const name of ['docker', 'gantry'] as const) {
  test(`${name} login, push, pull and logout at a registry with TLS that lets in who it knows`, options, () => {
    const image = `${closed.host}/acme/${name}:1`;
    client('docker', ['tag', 'busybox', image]);
    const stranger = client(name, ['push', image]);
    assert.notEqual(stranger.status, 0);
    assert.match(stranger.stderr, /wants credentials for acme/);
    const wrong = client(name, ['login', '-u', 'me', '--password-stdin', closed.host], 'wrong');
    assert.notEqual(wrong.status, 0);
    assert.match(wrong.stderr, /does not accept the credentials|unauthorized/);
    const right = client(name, ['login', '-u', 'me', '--password-stdin', closed.host], 'secret');
    assert.deepEqual([right.status, /Login Succeeded/.test(right.stdout)], [0, true], right.stderr);
    assert.ok(logins().includes(closed.host));
    const pushed = client(name, ['push', image]);
    assert.equal(pushed.status, 0, pushed.stderr);
    client('docker', ['rmi', image]);
    const pulled = client(name, ['pull', image]);
    assert.equal(pulled.status, 0, pulled.stderr);
    client('docker', ['rmi', image]);
    assert.equal(client(name, ['logout', closed.host]).status, 0);
    assert.ok(!logins().includes(closed.host));
    assert.match(client(name, ['pull', image]).stderr, /wants credentials for acme/);
    assert.ok(!readFileSync(join(folder, 'engine/engine.log'), 'utf8').includes('secret'));
  });
}

test('a registry that wants a certificate is shown the one that lies beside its authority', options, () => {
  const image = `${mutual.host}/acme/mutual:1`;
  client('docker', ['tag', 'busybox', image]);
  const without = client('docker', ['push', image]);
  assert.notEqual(without.status, 0);
  assert.match(without.stderr, new RegExp(`registry ${mutual.host}: `));
  copyFileSync(certificates.client.cert, join(authorities, mutual.host, 'client.cert'));
  copyFileSync(certificates.client.key, join(authorities, mutual.host, 'client.key'));
});

test('and it is read anew when the engine starts', options, async () => {
  await daemon[Symbol.asyncDispose]();
  daemon = await Daemon.start({ folder: join(folder, 'engine'), flags: ['--config-file', join(folder, 'daemon.json')] });
  const image = `${mutual.host}/acme/mutual:1`;
  const pushed = client('docker', ['push', image]);
  assert.equal(pushed.status, 0, pushed.stderr);
  client('docker', ['rmi', image]);
  assert.equal(client('docker', ['pull', image]).status, 0);
});
