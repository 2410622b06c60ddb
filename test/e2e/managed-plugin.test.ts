import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import { noLeaks } from '../support/machine/leak-guard.ts';
import { writeManagedPlugin } from '../support/plugins/managed-plugin.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const skip = ['docker', 'docker-registry'].every((tool) => spawnSync(tool, ['--version']).error === undefined)
  ? false
  : 'needs the docker CLI and docker-registry';
const options = { skip, timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'managed-'));
const made = join(folder, 'plugin');
let daemon: Daemon;
let api: DockerApi;
before(async () => {
  daemon = await Daemon.start({ folder });
  api = new DockerApi(daemon.places.socketPath);
  writeFileSync(join(folder, 'busybox.tar'), busyboxImage().archive);
  await docker('load', '-i', join(folder, 'busybox.tar'));
  mkdirSync(made);
  writeManagedPlugin(made);
});
after(() => daemon[Symbol.asyncDispose]());

async function docker(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await api.docker(args);
  assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}\n${daemon.log.slice(-4000)}`);
  return stdout.trimEnd();
}
async function refused(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await api.docker(args);
  assert.notEqual(code, 0, `docker ${args.join(' ')} should fail: ${stdout}`);
  return stderr;
}
const status = async (volume: string) =>
  JSON.parse(await docker('volume', 'inspect', '-f', '{{json .Status}}', volume)) as Readonly<Record<string, string>>;
const pid = async (name = 'acme/mem'): Promise<number> =>
  (await api.json<{ pid: number }>(`GET /gantry/v1/plugins/${encodeURIComponent(name)}/json`)).pid;

test('docker plugin create and enable run a managed plugin in a root of its own', options, async () => {
  await docker('plugin', 'create', 'acme/mem', made);
  assert.match(await docker('plugin', 'ls', '--format', '{{.Name}} {{.Enabled}}'), /^acme\/mem:latest false$/m);
  assert.equal(await docker('plugin', 'enable', 'acme/mem'), 'acme/mem');
  await docker('volume', 'create', '-d', 'acme/mem', 'va');
  const { args, root = '', uid, size } = await status('va');
  assert.deepEqual([args, uid, size], ['["--quiet"]', '0', '1m']);
  assert.deepEqual(
    root.split(' ').toSorted(),
    [
      'bin',
      'dev',
      ...(root.includes('lib64') ? ['lib64'] : []),
      ...(root.match(/\blib\b/g) ?? []),
      'plugin.cjs',
      'proc',
      'run',
      'sys',
      'tmp',
      'usr',
      'volumes',
    ].toSorted(),
  );
});

test('a managed plugin with PidHost is among the processes of the machine, and gone from them when it is disabled', options, async () => {
  const folderOfIt = join(folder, 'pids');
  mkdirSync(folderOfIt);
  writeManagedPlugin(folderOfIt, { pidhost: true });
  await docker('plugin', 'create', 'acme/pids', folderOfIt);
  await docker('plugin', 'enable', 'acme/pids');
  await docker('volume', 'create', '-d', 'acme/pids', 'vp');
  const { pid: seen } = await status('vp');
  assert.equal(Number(seen), await pid('acme/pids'));
  assert.ok(existsSync(`/proc/${seen}`));
  assert.notEqual(Number((await status('va'))['pid']), await pid());
  await docker('volume', 'rm', 'vp');
  await docker('plugin', 'disable', 'acme/pids');
  assert.ok(!existsSync(`/proc/${seen}`));
  await docker('plugin', 'rm', 'acme/pids');
});

test('a container has what the managed plugin mounted, also after the plugin was killed', options, async () => {
  await docker(
    'run',
    '-d',
    '--name',
    'user',
    '--network',
    'none',
    '-v',
    'va:/data',
    'busybox',
    'sh',
    '-c',
    'echo kept > /data/x; sleep 600',
  );
  assert.equal(await docker('exec', 'user', 'sh', '-c', 'grep " /data " /proc/mounts | cut -d" " -f3; cat /data/x'), 'tmpfs\nkept');
  const first = await pid();
  process.kill(first, 'SIGKILL');
  assert.notEqual((await status('va'))['pid'], undefined);
  assert.notEqual(await pid(), first);
  assert.equal(await docker('exec', 'user', 'cat', '/data/x'), 'kept');
  assert.equal(await docker('run', '--rm', '--network', 'none', '-v', 'va:/data', 'busybox', 'cat', '/data/x'), 'kept');
});

test('docker plugin disable is refused while a mount of the plugin is in use, and says by whom', options, async () => {
  assert.match(await refused('plugin', 'disable', 'acme/mem'), /in use by .*va/);
  await docker('rm', '-f', 'user');
  await docker('plugin', 'disable', 'acme/mem');
  assert.match(await refused('plugin', 'rm', 'acme/mem'), /va/);
});

test('docker plugin set changes what can be set, and the plugin runs with it', options, async () => {
  assert.match(await refused('plugin', 'set', 'acme/mem', 'NOPE=1'), /"NOPE" not found/);
  await docker('plugin', 'set', 'acme/mem', 'SIZE=2m', 'args=--loud --more');
  assert.equal(await docker('plugin', 'inspect', '-f', '{{.Settings.Env}} {{.Settings.Args}}', 'acme/mem'), '[SIZE=2m] [--loud --more]');
  await docker('plugin', 'enable', 'acme/mem');
  const { size, args } = await status('va');
  assert.deepEqual([size, args], ['2m', '["--loud","--more"]']);
});

test(
  'a managed plugin goes to a registry and is upgraded from it under a container, which the next engine finds again',
  options,
  async () => {
    await using registry = await dockerRegistry(join(folder, 'registry'));
    const reference = `${registry.host}/acme/mem:2`;
    await docker('plugin', 'create', reference, made);
    await docker('plugin', 'push', reference);
    await docker('plugin', 'rm', reference);
    assert.match(
      await docker('plugin', 'install', '--grant-all-permissions', '--alias', 'again', reference, 'SIZE=3m'),
      /Installed plugin .*acme\/mem:2/,
    );
    await docker('volume', 'create', '-d', 'again', 'vc');
    assert.equal((await status('vc'))['size'], '3m');
    await docker(
      'run',
      '-d',
      '--name',
      'user',
      '--network',
      'none',
      '-v',
      'vc:/data',
      'busybox',
      'sh',
      '-c',
      'echo kept > /data/x; sleep 600',
    );
    const first = await pid('again');
    const query = `remote=${encodeURIComponent(reference)}`;
    const privileges = await api.json(`GET /v1.51/plugins/privileges?${query}`);
    const upgraded = await api.request(`POST /v1.51/plugins/again/upgrade?${query}`, { body: privileges });
    assert.match(upgraded.text, /Status: Downloaded newer image/);
    assert.doesNotMatch(upgraded.text, /error/);
    assert.notEqual(await pid('again'), first);
    assert.equal(await docker('plugin', 'inspect', '-f', '{{.Enabled}}', 'again'), 'true');
    assert.equal((await status('vc'))['size'], '3m');
    assert.equal(await docker('exec', 'user', 'cat', '/data/x'), 'kept');
    await daemon.kill('SIGKILL');
    daemon = await Daemon.start({ folder });
    api = new DockerApi(daemon.places.socketPath);
    assert.equal((await status('vc'))['size'], '3m');
    assert.equal(await docker('exec', 'user', 'cat', '/data/x'), 'kept');
    assert.equal(await docker('run', '--rm', '--network', 'none', '-v', 'vc:/data', 'busybox', 'cat', '/data/x'), 'kept');
    await docker('rm', '-f', 'user');
    await docker('volume', 'rm', 'vc');
    await docker('plugin', 'disable', 'again');
    await docker('plugin', 'rm', 'again');
  },
);

test('nothing is left of a managed plugin that was used and removed', options, async () => {
  await docker('volume', 'rm', 'va');
  await docker('plugin', 'rm', '-f', 'acme/mem');
  const { dataRoot, execRoot } = daemon.places;
  const guard = noLeaks({ roots: [join(dataRoot, 'plugins'), join(dataRoot, 'plugin-code'), join(execRoot, 'p')] });
  await docker('plugin', 'create', 'acme/mem', made);
  await docker('plugin', 'enable', 'acme/mem');
  await docker('volume', 'create', '-d', 'acme/mem:latest', 'vb');
  assert.equal(
    await docker(
      'run',
      '--rm',
      '--network',
      'none',
      '-v',
      'vb:/data',
      'busybox',
      'sh',
      '-c',
      'df -k /data | tail -1 | tr -s " " | cut -d" " -f2',
    ),
    '1024',
  );
  await docker('volume', 'rm', 'vb');
  await docker('plugin', 'disable', 'acme/mem');
  await docker('plugin', 'rm', 'acme/mem');
  assert.equal(existsSync('/tmp/docker'), false);
  await guard[Symbol.asyncDispose]();
});
