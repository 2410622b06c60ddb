import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before as beforeAll, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PluginDetails } from '@gantry/sdk/client';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import { noLeaks } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { type Packages, packedPackages } from '../support/plugins/packed.ts';
import { Pty } from '../support/clients/pty.ts';
import { gantrySdk, program, standAlone, useOnly, writeFolders } from '../support/machine/stranger.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const skip = ['docker', 'docker-registry'].every((tool) => spawnSync(tool, ['--version']).error === undefined)
  ? false
  : 'needs the docker CLI and docker-registry';
const options = { skip, timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'life-'));
let packages: Packages;
let daemon: Daemon;
/** What a stranger has: nothing of the sources runs here. */
const start = () => Daemon.start({ folder, program: join(packages.engine, 'core/bin/gantryd.mjs') });
let api: DockerApi;
beforeAll(async () => {
  packages = await packedPackages(join(folder, 'published'));
  useOnly(packages);
  daemon = await start();
  api = new DockerApi(daemon.places.socketPath);
  writeFileSync(join(folder, 'busybox.tar'), busyboxImage().archive);
  await docker('load', '-i', join(folder, 'busybox.tar'));
});
after(() => daemon[Symbol.asyncDispose]());

const environment = () => ({ GANTRY_HOST: `unix://${daemon.places.socketPath}` });

/** Runs `gantry plugin ARGS`, which must succeed. */
async function plugin(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await program('core/bin/gantry.mjs', ['plugin', ...args], { env: environment() });
  assert.equal(code, 0, `gantry plugin ${args.join(' ')}: ${stderr}\n${daemon.log.slice(-4000)}`);
  return stdout.trimEnd();
}
/** What a plugin printed, wherever it printed it. */
async function printed(name: string): Promise<string> {
  const { stdout, stderr } = await program('core/bin/gantry.mjs', ['plugin', 'logs', name], { env: environment() });
  return stdout + stderr;
}
/** Runs `gantry plugin ARGS`, which must fail, and answers what it says. */
async function refused(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await program('core/bin/gantry.mjs', ['plugin', ...args], { env: environment() });
  assert.notEqual(code, 0, `gantry plugin ${args.join(' ')} should fail: ${stdout}`);
  return stderr;
}
async function docker(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await api.docker(args);
  assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}\n${daemon.log.slice(-4000)}`);
  return stdout.trimEnd();
}
async function dockerRefused(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await api.docker(args);
  assert.notEqual(code, 0, `docker ${args.join(' ')} should fail: ${stdout}`);
  return stderr;
}
async function inspect(name: string): Promise<PluginDetails> {
  const [found] = JSON.parse(await plugin('inspect', name)) as readonly PluginDetails[];
  assert.ok(found !== undefined);
  return found;
}
const pidOf = (container: string) => docker('inspect', '-f', '{{.State.Pid}}', container);

/** A container that appends a number to /data/log for as long as it can, without ever opening the file again. */
async function writer(name: string, volume: string, driver: string): Promise<string> {
  await docker('volume', 'create', '-d', driver, volume);
  await docker(
    'run',
    '-d',
    '--name',
    name,
    '--network',
    'none',
    '-v',
    `${volume}:/data`,
    'busybox',
    'sh',
    '-c',
    'n=0; while :; do n=$((n+1)); echo $n >> /data/log || exit 9; usleep 5000; done',
  ); // prettier-ignore
  return pidOf(name);
}
const written = async (name: string): Promise<readonly number[]> =>
  (await docker('exec', name, 'cat', '/data/log')).split('\n').map(Number);

/** It runs as the same process, has missed no number, and goes on. */
async function assertUninterrupted(name: string, pid: string): Promise<void> {
  const before = await written(name);
  assert.deepEqual(
    before,
    Array.from(before, (_, at) => at + 1),
  );
  await sleep(50);
  const later = await written(name);
  assert.ok(later.length > before.length, `stands at ${later.length}`);
  assert.deepEqual([await pidOf(name), await docker('inspect', '-f', '{{.State.Running}} {{.RestartCount}}', name)], [pid, 'true 0']);
}

const scratch = mkdtempSync(join(tmpdir(), 'stranger-'));

test('a stranger makes a volume plugin, which passes conformance before and after it is made their own', options, async () => {
  const dir = join(scratch, 'my-folders');
  const made = await gantrySdk('create', dir, '--kind', 'volume', '--lang', 'ts');
  assert.equal(made.code, 0, made.stderr);
  assert.equal((await gantrySdk('conformance', dir)).code, 0);
  await writeFolders(dir, '1.0.0');
  const proven = await gantrySdk('conformance', dir);
  assert.equal(proven.code, 0, proven.stdout + proven.stderr);
  assert.match(await plugin('doctor', dir), /ok +manifest: my-folders 1\.0\.0 provides volume\/my-folders/);
});

test('gantry plugin install shows what the folder asks for, and installs nothing without a yes', options, async () => {
  const dir = join(scratch, 'my-folders');
  for (const answer of ['n', 'y']) {
    await using terminal = new Pty([process.execPath, join(packages.engine, 'core/bin/gantry.mjs'), 'plugin', 'install', dir], {
      env: environment(),
    });
    await terminal.expect(/requesting the following privileges:\s+- host api: \[lookup:container\]/);
    terminal.type(`${answer}\r`);
    assert.equal(await terminal.exit, answer === 'y' ? 0 : 1);
    assert.equal((await plugin('ls', '-q')).includes('my-folders'), answer === 'y');
  }
  const { state, placement, version, pid } = await inspect('my-folders');
  assert.deepEqual([state, placement, version, typeof pid], ['ready', 'process', '1.0.0', 'number']);
});

test('a container writes on while its volume plugin is upgraded, set, rolled back, broken, disabled and enabled', options, async () => {
  const dir = join(scratch, 'my-folders');
  const pid = await writer('writer', 'v1', 'my-folders');
  const first = (await inspect('my-folders')).pid;

  await writeFolders(dir, '1.1.0');
  assert.equal(await plugin('upgrade', 'my-folders'), 'my-folders: 1.0.0 -> 1.1.0');
  const upgraded = await inspect('my-folders');
  assert.deepEqual(
    [upgraded.version, upgraded.state, upgraded.previousVersion, upgraded.pid === first],
    ['1.1.0', 'ready', '1.0.0', false],
  );
  assert.equal(await docker('volume', 'inspect', '-f', '{{.Status.version}} {{.Status.colour}}', 'v1'), '1.1.0 red');
  await assertUninterrupted('writer', pid);

  await docker('plugin', 'set', 'my-folders', 'colour=blue');
  assert.equal(await docker('volume', 'inspect', '-f', '{{.Status.colour}}', 'v1'), 'blue');

  await writeFolders(dir, '1.2.0');
  writeFileSync(join(dir, 'main.ts'), 'throw new Error("no good");');
  assert.match(await refused('upgrade', 'my-folders'), /no good/);
  await writeFolders(dir, '1.2.0');
  assert.deepEqual((({ version, state }) => [version, state])(await inspect('my-folders')), ['1.1.0', 'ready']);

  assert.equal(await plugin('rollback', 'my-folders'), 'my-folders: 1.1.0 -> 1.0.0');
  assert.equal(await docker('volume', 'inspect', '-f', '{{.Status.version}}', 'v1'), '1.0.0');
  assert.match(await refused('rollback', 'my-folders'), /no version before 1\.0\.0/);

  await plugin('disable', 'my-folders');
  assert.match(await docker('plugin', 'ls', '--format', '{{.Name}} {{.Enabled}}'), /^my-folders false$/m);
  assert.match(await dockerRefused('volume', 'create', '-d', 'my-folders', 'v2'), /plugin my-folders is disabled/);
  await assertUninterrupted('writer', pid);
  await docker('plugin', 'enable', 'my-folders');
  await docker('volume', 'create', '-d', 'my-folders', 'v2');
  await docker('volume', 'rm', 'v2');
  assert.equal(
    await docker('plugin', 'inspect', '-f', '{{.Name}} {{.Enabled}} {{.Config.Interface.Types}}', 'my-folders'),
    'my-folders true [gantry.volumedriver/1.0]',
  );
  await assertUninterrupted('writer', pid);

  assert.match(await dockerRefused('plugin', 'rm', 'my-folders'), /plugin my-folders is enabled/);
  await plugin('disable', 'my-folders');
  assert.match(await dockerRefused('plugin', 'rm', 'my-folders'), /volume v1/);
  assert.match(await refused('rm', 'my-folders'), /volume v1/);
  await plugin('enable', 'my-folders');
});

test('gantry plugin dev puts what is saved in the place of what runs, while a container writes', options, async () => {
  const dir = join(scratch, 'dev-folders');
  assert.equal((await gantrySdk('create', dir, '--kind', 'volume')).code, 0);
  await writeFolders(dir, '1.0.0');
  await using terminal = new Pty([process.execPath, join(packages.engine, 'core/bin/gantry.mjs'), 'plugin', 'dev', '--rm', dir], {
    env: environment(),
  });
  await terminal.expect(/Do you grant the above permissions/);
  terminal.type('y\r');
  await terminal.expect(/dev-folders 1\.0\.0, generation 1: ready/);
  const pid = await writer('dev-writer', 'dev-volume', 'dev-folders');
  await writeFolders(dir, '1.1.0');
  await terminal.expect(/dev-folders 1\.1\.0, generation \d+: ready/);
  assert.equal(await docker('volume', 'inspect', '-f', '{{.Status.version}}', 'dev-volume'), '1.1.0');
  await assertUninterrupted('dev-writer', pid);
  await docker('rm', '-f', 'dev-writer');
  await docker('volume', 'rm', 'dev-volume');
  terminal.type('\u0003');
  await terminal.exit;
  assert.equal((await plugin('ls', '-q')).includes('dev-folders'), false);
});

test('a volume plugin that is killed comes back, and its container writes on', options, async () => {
  const pid = await pidOf('writer');
  const before = await inspect('my-folders');
  process.kill(before.pid ?? 0, 'SIGKILL');
  assert.equal(await docker('volume', 'inspect', '-f', '{{.Status.version}}', 'v1'), '1.0.0');
  const now = await inspect('my-folders');
  assert.deepEqual([now.state, now.restarts, (now.generation ?? 0) > (before.generation ?? 0)], ['ready', 1, true]);
  assert.match(await printed('my-folders'), /version 1\.0\.0 begins/);
  await assertUninterrupted('writer', pid);
});

test('gantry plugin call describes without doing, and refuses what would change something', options, async () => {
  const request = JSON.stringify({ name: 'v1', attachmentId: 'try', options: {}, readOnly: false });
  const { attachment } = JSON.parse(await plugin('call', 'volume/my-folders', 'attach', request, '--dry-run'));
  assert.deepEqual([attachment.mounts[0].type, attachment.mounts.length], ['bind', 1]);
  assert.match(await refused('call', 'volume/my-folders', 'remove', '{"name":"v1"}', '--dry-run'), /changes something/);
  assert.match(await plugin('call', 'volume/my-folders', 'list'), /"name": "v1"/);
});

test('gantry plugin upgrade takes the same version with other content, also while the plugin cannot start', options, async () => {
  const dir = join(scratch, 'sick');
  await gantrySdk('create', dir, '--kind', 'volume');
  await writeFolders(dir, '1.0.0');
  const manifest = readFileSync(join(dir, 'gantry-plugin.json'), 'utf8');
  await writeFolders(dir, '1.0.0');
  writeFileSync(join(dir, 'main.ts'), 'console.error("about to fail"); throw new RangeError("it has a cold");');
  writeFileSync(join(dir, 'gantry-plugin.json'), manifest);
  assert.match(await refused('install', '--grant-all-permissions', dir), /it has a cold/);
  assert.match((await inspect('sick')).state, /backoff|starting|quarantined/);
  await writeFolders(dir, '1.0.0');
  assert.equal(await plugin('upgrade', 'sick'), 'sick: 1.0.0 -> 1.0.0');
  assert.equal((await inspect('sick')).state, 'ready');
  const { pid } = await inspect('sick');
  await writeFolders(dir, '1.0.0', { body: 'console.error("changed");' });
  assert.equal(await plugin('upgrade', 'sick'), 'sick: 1.0.0 -> 1.0.0');
  assert.notEqual((await inspect('sick')).pid, pid);
  assert.match(await printed('sick'), /changed/);
  await plugin('rm', '-f', 'sick');
});

test('a plugin goes to a registry and comes back by the docker CLI, with the volumes that waited for it', options, async () => {
  await docker('rm', '-f', 'writer');
  await using registry = await dockerRegistry(join(scratch, 'registry'));
  const reference = `${registry.host}/acme/my-folders:1.0`;
  assert.equal(await plugin('create', reference, join(scratch, 'my-folders')), reference);
  assert.match(await plugin('push', reference), /1\.0: digest: sha256:/);
  await plugin('rm', reference);
  assert.equal(await plugin('rm', '-f', 'my-folders'), 'my-folders');
  assert.equal(await docker('volume', 'ls', '-q'), 'v1');
  assert.match(await dockerRefused('run', '--rm', '-v', 'v1:/data', '--network', 'none', 'busybox', 'true'), /my-folders/);

  await using terminal = new Pty(['docker', 'plugin', 'install', reference, 'colour=green'], { env: api.environment });
  await terminal.expect(/host api: \[lookup:container\]/);
  terminal.type('y\r');
  await terminal.expect(/Installed plugin/);
  assert.equal(await terminal.exit, 0);
  assert.equal(
    await docker('plugin', 'ls', '--format', '{{.Name}} {{.Enabled}}', '-f', 'enabled=true').then((all) =>
      all.includes(`${reference} true`),
    ),
    true,
  );
  assert.equal(await docker('volume', 'inspect', '-f', '{{.Status.version}} {{.Status.colour}}', 'v1'), '1.2.0 green');
  assert.equal(await docker('run', '--rm', '-v', 'v1:/data', '--network', 'none', 'busybox', 'head', '-n', '2', '/data/log'), '1\n2');
  await docker('volume', 'rm', 'v1');
  await docker('plugin', 'disable', reference);
  await docker('plugin', 'rm', reference);
});

test('gantry plugin install takes the tarball that npm pack makes; bind says which of two serves; logs -f follows', options, async () => {
  const dir = join(scratch, 'packed');
  await gantrySdk('create', dir, '--kind', 'volume');
  await writeFolders(dir, '2.0.0');
  const packed = spawnSync('npm', ['pack', '--pack-destination', scratch], { cwd: dir, encoding: 'utf8' });
  assert.equal(packed.status, 0, packed.stderr);
  const tarball = join(scratch, packed.stdout.trim());
  assert.equal(await plugin('install', '--grant-all-permissions', tarball), 'packed');
  assert.equal(await plugin('install', '--grant-all-permissions', '--alias', 'other', dir), 'other');
  for (const format of ['npm', 'oci']) await plugin('pack', dir, `--${format}`, '-o', join(scratch, `packed.${format}.tgz`));
  const listing = spawnSync('tar', ['-tf', join(scratch, 'packed.oci.tgz')], { encoding: 'utf8' }).stdout;
  assert.match(listing, /index\.json[^]*oci-layout/);
  await plugin('pack', dir, '--docker', '-o', join(scratch, 'packed.docker.tar'));
  const managed = spawnSync('tar', ['-tf', join(scratch, 'packed.docker.tar')], { encoding: 'utf8' }).stdout;
  assert.match(managed, /^\.\/config\.json$[^]*^\.\/rootfs\/plugin\/gantry-plugin\.json$/m);
  await plugin('upgrade', 'packed', join(scratch, 'packed.npm.tgz'));
  await docker('volume', 'create', '-d', 'packed', 'vp');
  assert.match(await plugin('ls', '-f', 'name=other'), /\(volume\/packed\)/);
  await docker('volume', 'rm', 'vp');
  await plugin('bind', 'volume/packed', 'other');
  assert.match(await plugin('ls', '-f', 'name=packed'), /\(volume\/packed\)/);
  await docker('volume', 'create', '-d', 'packed', 'vp');
  assert.match(await plugin('call', 'volume/packed', 'list'), /"name": "vp"/);
  assert.deepEqual(
    (await inspect('other')).users.map(({ name }) => name),
    ['vp'],
  );
  assert.deepEqual((await inspect('packed')).users, []);
  const command = [process.execPath, join(packages.engine, 'core/bin/gantry.mjs'), 'plugin', 'logs', '-f', 'other'];
  await using following = new Pty(command, { env: environment() });
  await following.expect(/version 2\.0\.0 begins/);
  process.kill((await inspect('other')).pid ?? 0, 'SIGKILL');
  await following.expect(/version 2\.0\.0 begins/);
  await docker('volume', 'rm', 'vp');
  await plugin('rm', '-f', 'packed', 'other');
});

test(
  'gantry plugin attach takes in a plugin that somebody else runs, and neither rm nor the end of the engine ends it',
  options,
  async () => {
    const dir = join(scratch, 'apart');
    await gantrySdk('create', dir, '--kind', 'volume');
    await writeFolders(dir, '1.0.0');
    const socket = join(scratch, 'apart.sock');
    const child = await standAlone(dir, { socket, token: 'a secret' });
    const isRunning = () => child.exitCode === null && child.signalCode === null;
    const words = (token: string) => {
      const file = join(scratch, 'token');
      writeFileSync(file, token, { mode: 0o600 });
      return ['attach', `unix://${socket}`, '--token-file', file, '--manifest', join(dir, 'gantry-plugin.json')];
    };
    try {
      assert.match(await refused(...words('a guess')), /does not know this start's token/);
      assert.equal(await plugin(...words('a secret')), 'apart');
      await docker('volume', 'create', '-d', 'apart', 'va');
      assert.equal(
        await docker('run', '--rm', '--network', 'none', '-v', 'va:/data', 'busybox', 'sh', '-c', 'echo kept > /data/x; cat /data/x'),
        'kept',
      );
      await daemon.kill('SIGTERM');
      assert.ok(isRunning());
      daemon = await start();
      api = new DockerApi(daemon.places.socketPath);
      assert.equal(await docker('volume', 'inspect', '-f', '{{.Status.version}}', 'va'), '1.0.0');
      assert.equal(await docker('run', '--rm', '--network', 'none', '-v', 'va:/data', 'busybox', 'cat', '/data/x'), 'kept');
      await docker('volume', 'rm', 'va');
      await plugin('rm', '-f', 'apart');
      assert.ok(isRunning());
    } finally {
      child.kill('SIGTERM');
    }
  },
);

test('nothing is left of a plugin that was installed, used, upgraded and removed', options, async () => {
  const dir = join(scratch, 'brief');
  await gantrySdk('create', dir, '--kind', 'volume');
  const { dataRoot, execRoot } = daemon.places;
  const life = async (): Promise<void> => {
    await writeFolders(dir, '1.0.0');
    await plugin('install', '--grant-all-permissions', dir);
    const pid = await writer('brief', 'vb', 'brief');
    await writeFolders(dir, '1.1.0');
    await plugin('upgrade', 'brief');
    await assertUninterrupted('brief', pid);
    await docker('rm', '-f', 'brief');
    await docker('volume', 'rm', 'vb');
    await plugin('rm', '-f', 'brief');
  };
  await life();
  const descriptors = (): number => readdirSync(`/proc/${daemon.pid}/fd`).length;
  const before = descriptors();
  await using _nothingLeft = noLeaks({ roots: [join(dataRoot, 'plugins'), join(dataRoot, 'plugin-code'), join(execRoot, 'p')] });
  await life();
  assert.ok(descriptors() <= before + 2, `${descriptors()} descriptors, ${before} before`);
});
