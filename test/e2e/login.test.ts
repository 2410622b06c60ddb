import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Daemon } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { Pty } from '../support/clients/pty.ts';
import { reply, type ScriptedRegistry, scriptedRegistry } from '../support/servers/scripted-registry.ts';

inNamespaces(import.meta.url);

const program = join(import.meta.dirname, '../../core/bin/gantry.mjs');
const folder = mkdtempSync(join(tmpdir(), 'login-'));
const programs = join(folder, 'bin');
const expected = `Basic ${Buffer.from('me:pass word').toString('base64')}`;
let daemon: Daemon;
let registry: ScriptedRegistry;
before(async () => {
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
  registry = await scriptedRegistry({
    '*': (request, response, body) => {
      const isMe = request.headers.authorization === expected;
      const challenge = { 'www-authenticate': 'Basic realm="here"' };
      const answer = isMe ? reply(request.url === '/v2/' ? 200 : 404, '{}') : reply(401, '{}', challenge);
      answer(request, response, body);
    },
  });
  mkdirSync(programs);
});
after(async () => {
  await registry[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
});

let count = 0;
/** A user's own folder for logins. */
function home(config?: object): string {
  const path = join(folder, `home-${(count += 1)}`);
  mkdirSync(path);
  if (config !== undefined) writeFileSync(join(path, 'config.json'), JSON.stringify(config));
  return path;
}
const environment = (config: string) => ({
  ...process.env,
  DOCKER_CONFIG: config,
  GANTRY_HOST: `unix://${daemon.places.socketPath}`,
  DOCKER_HOST: `unix://${daemon.places.socketPath}`,
  PATH: `${programs}:${process.env['PATH']}`,
});
async function run(config: string, [command = '', ...words]: readonly string[], input = '') {
  const child = spawn(command, words, { env: environment(config), timeout: 30_000, killSignal: 'SIGKILL' });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (said.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (said.stderr += data.toString()));
  child.stdin.on('error', () => undefined).end(input);
  const [code] = await once(child, 'close');
  return { code: Number(code), ...said };
}
const gantry = (config: string, words: readonly string[], input?: string) => run(config, [process.execPath, program, ...words], input);
const kept = (config: string) => JSON.parse(readFileSync(join(config, 'config.json'), 'utf8')) as Readonly<Record<string, unknown>>;
/** Whether the registry was asked as the user who logged in. */
const wasAskedAsMe = (what: string) => registry.asked.some((line) => line.includes(what) && line.endsWith(expected));

test('gantry login asks the registry, and keeps the login as Docker does, for its owner alone', async () => {
  const config = home({ psFormat: 'table', auths: { 'other:1': { auth: 'eDp5' } } });
  const { code, stdout, stderr } = await gantry(config, ['login', '-u', 'me', '--password-stdin', registry.host], 'pass word\n');
  assert.deepEqual([code, stdout], [0, 'Login Succeeded\n'], stderr);
  assert.match(stderr, /lies readable in .*config\.json/);
  const auth = Buffer.from('me:pass word').toString('base64');
  assert.deepEqual(kept(config), { psFormat: 'table', auths: { 'other:1': { auth: 'eDp5' }, [registry.host]: { auth } } });
  assert.equal(statSync(join(config, 'config.json')).mode & 0o777, 0o600);
  const again = await gantry(config, ['login', registry.host]);
  assert.deepEqual([again.code, again.stderr], [0, 'Authenticating with existing credentials...\n']);
  assert.equal((await gantry(config, ['logout', registry.host])).stdout, `Removing login credentials for ${registry.host}\n`);
  assert.equal((await gantry(config, ['logout', registry.host])).stdout, `Not logged in to ${registry.host}\n`);
  assert.deepEqual(kept(config), { psFormat: 'table', auths: { 'other:1': { auth: 'eDp5' } } });
});

test('gantry login keeps nothing of credentials that the registry refuses', async () => {
  const config = home();
  const { code, stderr } = await gantry(config, ['login', '-u', 'me', '--password-stdin', registry.host], 'guess');
  assert.equal(code, 1);
  assert.match(stderr, /does not accept the credentials/);
  assert.ok(!existsSync(join(config, 'config.json')));
});

test('gantry login asks on the terminal, without showing the password', async () => {
  const config = home();
  await using terminal = new Pty([process.execPath, program, 'login', registry.host], { env: environment(config) });
  await terminal.expect(/User at .*: /);
  terminal.type('me\r');
  await terminal.expect(/Password: /);
  terminal.type('pass word\r');
  assert.doesNotMatch(await terminal.expect(/[^]*Login Succeeded/), /pass word/);
  assert.equal(await terminal.exit, 0);
  assert.ok(registry.host in (kept(config)['auths'] as object));
});

for (const [what, words, code, says] of [
  ['no terminal to ask on', [], 125, /no terminal to ask on/],
  ['a password without a user', ['--password-stdin'], 125, /a password without a user/],
  ['a password twice', ['-u', 'me', '-p', 'x', '--password-stdin'], 125, /say the same/],
  ['an empty password', ['-u', 'me', '--password-stdin'], 125, /the password is empty/],
] as const) {
  test(`gantry login is refused with ${what}`, async () => {
    const result = await gantry(home(), ['login', ...words, registry.host]);
    assert.deepEqual([result.code, says.test(result.stderr)], [code, true], result.stderr);
  });
}

test('gantry login leaves a config.json that it cannot read as it is', async () => {
  const config = home();
  writeFileSync(join(config, 'config.json'), '{ "auths": ');
  const { code, stderr } = await gantry(config, ['login', '-u', 'me', '--password-stdin', registry.host], 'pass word');
  assert.equal(code, 1);
  assert.match(stderr, /config\.json is not JSON/);
  assert.equal(readFileSync(join(config, 'config.json'), 'utf8'), '{ "auths": ');
});

test('gantry login keeps the secret with the credential helper, of which gantry plugin install gets it', async () => {
  const store = join(folder, 'kept.json');
  const helper = join(programs, 'docker-credential-test');
  writeFileSync(
    helper,
    `#!/bin/sh\ncase $1 in\n  store) cat > ${store};;\n  erase) rm -f ${store};;\n  get) cat ${store} 2>/dev/null || { echo 'credentials not found in native keychain'; exit 1; };;\nesac\n`,
  );
  chmodSync(helper, 0o755);
  const config = home({ credHelpers: { [registry.host]: 'test' } });
  assert.equal((await gantry(config, ['login', '-u', 'me', '--password-stdin', registry.host], 'pass word')).code, 0);
  assert.deepEqual(JSON.parse(readFileSync(store, 'utf8')), { ServerURL: registry.host, Username: 'me', Secret: 'pass word' });
  assert.deepEqual(kept(config)['auths'], { [registry.host]: {} });
  assert.equal((await gantry(config, ['plugin', 'install', `${registry.host}/acme/private:1`])).code, 1);
  assert.ok(wasAskedAsMe('/v2/acme/private/manifests/1'));
  assert.equal((await gantry(config, ['logout', registry.host])).code, 0);
  assert.ok(!existsSync(store));
  const without = await gantry(home({ credsStore: 'nowhere' }), ['plugin', 'install', `${registry.host}/acme/private:2`]);
  assert.match(without.stderr, /asking without a login: docker-credential-nowhere cannot be run[^]*wants credentials/);
});

test('docker login works with the engine, and gantry uses what it kept', {
  skip: spawnSync('docker', ['--version']).status !== 0,
}, async () => {
  const config = home();
  const wrong = await run(config, ['docker', 'login', '-u', 'me', '--password-stdin', registry.host], 'guess');
  assert.notEqual(wrong.code, 0);
  const { code, stdout, stderr } = await run(config, ['docker', 'login', '-u', 'me', '--password-stdin', registry.host], 'pass word');
  assert.deepEqual([code, /Login Succeeded/.test(stdout)], [0, true], stderr);
  await gantry(config, ['plugin', 'install', `${registry.host}/acme/private:3`]);
  assert.ok(wasAskedAsMe('/v2/acme/private/manifests/3'));
});
