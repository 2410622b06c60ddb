import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { packManaged } from '../../sdk/managed/index.ts';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { dockerCli } from '../support/clients/docker-cli.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { everyKind } from '../support/plugins/served-for-docker.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const skip = spawnSync('docker', ['--version']).error === undefined ? false : 'needs the docker CLI';
const options = { skip, timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'packed-'));
let daemon: Daemon;
const { docker, refused, both } = dockerCli(() => daemon);
before(async () => {
  if (skip !== false) return;
  daemon = await Daemon.start({ folder });
  writeFileSync(join(folder, 'busybox.tar'), busyboxImage().archive);
  await docker('load', '-i', join(folder, 'busybox.tar'));
  await packManaged({ dir: everyKind, out: join(folder, 'packed') });
});
after(async () => {
  if (skip === false) await daemon[Symbol.asyncDispose]();
});

const pid = async (): Promise<number> =>
  (await new DockerApi(daemon.places.socketPath).json<{ pid: number }>(`GET /gantry/v1/plugins/${encodeURIComponent('acme/every')}/json`))
    .pid;

test('a packed plugin with a driver of each kind is created and enabled', options, async () => {
  await docker('plugin', 'create', 'acme/every', join(folder, 'packed'));
  await docker('plugin', 'set', 'acme/every', 'size=3m');
  await docker('plugin', 'enable', 'acme/every');
  assert.match(await docker('plugin', 'ls', '--format', '{{.Name}} {{.Enabled}}'), /^acme\/every:latest true$/m);
});

for (const [kind, type] of Object.entries({ folder: '', memory: 'tmpfs', layers: 'overlay' })) {
  test(`a volume (${kind}) of a packed plugin is mounted, written and read`, options, async () => {
    await docker('volume', 'create', '-d', 'acme/every', '-o', `kind=${kind}`, `v-${kind}`);
    const run = (...words: readonly string[]) => docker('run', '--rm', '--network', 'none', '-v', `v-${kind}:/data`, 'busybox', ...words);
    const seen = await run('sh', '-c', 'echo kept > /data/x; cat /data/x; grep " /data " /proc/mounts | cut -d" " -f3');
    assert.deepEqual(seen.split('\n'), ['kept', type === '' ? seen.split('\n')[1] : type]);
    if (kind !== 'memory') assert.equal(await run('cat', '/data/x'), 'kept');
    assert.equal(await docker('volume', 'inspect', '-f', '{{.Status.kind}} {{.Status.size}}', `v-${kind}`), `${kind} 3m`);
    await docker('volume', 'rm', `v-${kind}`);
  });
}

test("a packed plugin's volume stays under its containers while the plugin is killed", options, async () => {
  await docker('volume', 'create', '-d', 'acme/every', '-o', 'kind=memory', 'held');
  await docker(
    'run',
    '-d',
    '--name',
    'user',
    '--network',
    'none',
    '-v',
    'held:/data',
    'busybox',
    'sh',
    '-c',
    'echo kept > /data/x; sleep 600',
  );
  const first = await pid();
  process.kill(first, 'SIGKILL');
  assert.equal(await docker('run', '--rm', '--network', 'none', '-v', 'held:/data', 'busybox', 'cat', '/data/x'), 'kept');
  assert.notEqual(await pid(), first);
  assert.match(await refused('volume', 'rm', 'held'), /in use/);
  await docker('rm', '-f', 'user');
  await docker('volume', 'rm', 'held');
  assert.match(
    await refused('volume', 'create', '-d', 'acme/every', '-o', 'kind=nope', 'none'),
    /must be one of folder, memory, layers, bad/,
  );
});

test('a packed plugin keeps the output of containers, and gives it back', options, async () => {
  await docker(
    'run',
    '--name',
    'talks',
    '--network',
    'none',
    '--log-driver',
    'acme/every',
    'busybox',
    'sh',
    '-c',
    'echo one; echo two >&2; sleep 0.3; echo three',
  );
  const { stdout, stderr } = await both('logs', 'talks');
  assert.deepEqual([stdout, stderr], ['one\nthree\n', 'two\n']);
  assert.equal((await both('logs', '--tail', '1', 'talks')).stdout, 'three\n');
  await docker('rm', 'talks');
});

test('no line is lost when a packed plugin that keeps output is killed', options, async () => {
  const words = 'i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.05; done';
  await docker('run', '-d', '--name', 'talks', '--network', 'none', '--log-driver', 'acme/every', 'busybox', 'sh', '-c', words);
  await sleep(1_000);
  process.kill(await pid(), 'SIGKILL');
  await docker('wait', 'talks');
  const wanted = Array.from({ length: 60 }, (_, index) => `line ${index}`);
  let seen: readonly string[] = [];
  for (let waited = 0; waited < 50 && !seen.includes('line 59'); waited += 1) {
    await sleep(100);
    seen = (await both('logs', 'talks')).stdout.trimEnd().split('\n');
  }
  // What was on its way may come twice.
  assert.deepEqual([...new Set(seen)], wanted);
  await docker('rm', 'talks');
});

test('a packed plugin gives networks, and another driver of it their addresses', options, async () => {
  await docker('network', 'create', '-d', 'acme/every', '--ipam-driver', 'acme/every', 'net');
  assert.equal(await docker('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}}', 'net'), '10.201.0.0/24');
  await docker('run', '-d', '--name', 'first', '--network', 'net', 'busybox', 'sleep', '600');
  const seen = await docker(
    'run',
    '--rm',
    '--network',
    'net',
    'busybox',
    'sh',
    '-c',
    'ip route; ping -c1 -W2 first && ping -c1 -W2 10.201.0.2',
  );
  assert.match(seen, /^default via 10\.201\.0\.1/m);
  assert.equal(seen.match(/1 packets received/g)?.length, 2, seen);
  await docker('rm', '-f', 'first');
  await docker('network', 'rm', 'net');
  assert.deepEqual(
    readdirSync('/sys/class/net').filter((name) => /^(ev-|gh|gc)/.test(name)),
    [],
  );
});

test('a packed plugin decides who may do what, before it is done', options, async () => {
  await daemon.kill('SIGTERM');
  daemon = await Daemon.start({ folder, flags: ['--authorization-plugin', 'acme/every'] });
  assert.match(
    await refused('create', '--name', 'forbidden', 'busybox'),
    /authorization denied by plugin acme\/every.*: nobody may POST that name/,
  );
  await docker('create', '--name', 'allowed', 'busybox');
  assert.equal(await docker('ps', '-a', '--format', '{{.Names}}'), 'allowed');
  await docker('rm', 'allowed');
  await daemon.kill('SIGTERM');
  daemon = await Daemon.start({ folder });
});

test('nothing is left of a packed plugin that was used and removed', options, async () => {
  await docker('plugin', 'disable', 'acme/every');
  await docker('plugin', 'rm', 'acme/every');
  assert.equal(existsSync(join(daemon.places.dataRoot, 'plugins', 'acme.every')), false);
});
