import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { packManaged } from '../../sdk/managed/index.ts';
import { busyboxImage } from '../support/images/busybox.ts';
import type { Daemon } from '../support/engine/daemon.ts';
import { dockerCli } from '../support/clients/docker-cli.ts';
import { DockerdHouse } from '../support/clients/dockerd.ts';
import { prepareDockerd } from '../support/clients/dockerd-root.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { everyKind } from '../support/plugins/served-for-docker.ts';

const missing = prepareDockerd();
inNamespaces(import.meta.url, { cgroups: 'v1', missing: missing === undefined ? undefined : `needs dockerd (${missing})` });

const options = { timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'dockerd-'));
let house: DockerdHouse;
let dockerd: Daemon;
const { docker, refused, both } = dockerCli(() => dockerd);
async function start(flags: readonly string[] = []): Promise<void> {
  rmSync(join(folder, 'pid'), { force: true });
  dockerd = await house.start({ folder, flags });
}
before(async () => {
  house = await DockerdHouse.open();
  await start();
  writeFileSync(join(folder, 'busybox.tar'), busyboxImage().archive);
  await docker('load', '-i', join(folder, 'busybox.tar'));
  await packManaged({ dir: everyKind, out: join(folder, 'packed') });
});
after(async () => {
  await dockerd[Symbol.asyncDispose]();
  house[Symbol.dispose]();
});

const run = (...words: readonly string[]) => docker('run', '--rm', '--network', 'none', ...words);
const pluginPids = (): readonly string[] =>
  execFileSync('pgrep', ['-f', '/gantry/sdk/legacy/process'], { encoding: 'utf8' }).trim().split('\n');
const mounted = (): readonly string[] =>
  house.mounts().flatMap(({ mountPoint }) => /\/propagated-mount\/volumes\/(.*)$/.exec(mountPoint)?.[1] ?? []);

test("Docker's own daemon creates and enables what was packed, with what the user sets", options, async () => {
  await docker('plugin', 'create', 'acme/every', join(folder, 'packed'));
  await docker('plugin', 'set', 'acme/every', 'size=3m');
  await docker('plugin', 'enable', 'acme/every');
  assert.equal(await docker('plugin', 'ls', '--format', '{{.Name}} {{.Enabled}}'), 'acme/every:latest true');
});

for (const [kind, type] of Object.entries({ folder: undefined, memory: 'tmpfs', layers: 'overlay' })) {
  test(`Docker's own daemon mounts a volume (${kind}) of ours in a container`, options, async () => {
    await docker('volume', 'create', '-d', 'acme/every', '-o', `kind=${kind}`, `v-${kind}`);
    const seen = await run(
      '-v',
      `v-${kind}:/data`,
      'busybox',
      'sh',
      '-c',
      'echo kept > /data/x; cat /data/x; grep " /data " /proc/mounts | cut -d" " -f3',
    );
    assert.deepEqual(seen.split('\n'), ['kept', type ?? seen.split('\n')[1]]);
    if (kind !== 'memory') assert.equal(await run('-v', `v-${kind}:/data`, 'busybox', 'cat', '/data/x'), 'kept');
    assert.equal(await docker('volume', 'inspect', '-f', '{{.Status.kind}} {{.Status.size}}', `v-${kind}`), `${kind} 3m`);
    await docker('volume', 'rm', `v-${kind}`);
    assert.deepEqual(mounted(), []);
  });
}

test("what our driver refuses, or cannot mount, is told by Docker's own daemon in our words", options, async () => {
  assert.match(
    await refused('volume', 'create', '-d', 'acme/every', '-o', 'kind=nope', 'none'),
    /option kind .* must be one of folder, memory, layers, bad/,
  );
  await docker('volume', 'create', '-d', 'acme/every', '-o', 'kind=bad', 'v-bad');
  assert.match(await refused('run', '--rm', '--network', 'none', '-v', 'v-bad:/data', 'busybox', 'true'), /VolumeDriver\.Mount: .*ENOENT/);
  await docker('volume', 'rm', 'v-bad');
});

test("a volume of ours stays under Docker's containers when the plugin is killed, and comes back with the daemon", options, async () => {
  await docker('volume', 'create', '-d', 'acme/every', '-o', 'kind=layers', 'held');
  for (const name of ['first', 'second'])
    await docker('run', '-d', '--name', name, '--network', 'none', '-v', 'held:/data', 'busybox', 'sleep', '600');
  await docker('exec', 'first', 'sh', '-c', 'echo kept > /data/x');
  for (const pid of pluginPids()) process.kill(Number(pid), 'SIGKILL');
  for (let waited = 0; waited < 100 && (await both('volume', 'inspect', 'held')).code !== 0; waited += 1) await sleep(100);
  assert.equal(await docker('exec', 'second', 'cat', '/data/x'), 'kept');
  assert.equal(await run('-v', 'held:/data', 'busybox', 'cat', '/data/x'), 'kept');
  await docker('rm', '-f', 'first');
  assert.equal(await docker('exec', 'second', 'cat', '/data/x'), 'kept');
  await dockerd.kill('SIGTERM');
  await start();
  await docker('start', 'second');
  assert.equal(await docker('exec', 'second', 'cat', '/data/x'), 'kept');
  await docker('rm', '-f', 'second');
  await docker('volume', 'rm', 'held');
  assert.deepEqual(mounted(), []);
});

test("a volume of ours is not held by containers of a daemon of Docker's that was killed", options, async () => {
  await docker('volume', 'create', '-d', 'acme/every', 'held');
  await docker(
    'run',
    '-d',
    '--name',
    'second',
    '--network',
    'none',
    '-v',
    'held:/data',
    'busybox',
    'sh',
    '-c',
    'echo kept > /data/x; sleep 600',
  );
  await dockerd.kill('SIGKILL');
  await start();
  await docker('rm', '-f', 'second');
  assert.equal(await run('-v', 'held:/data', 'busybox', 'cat', '/data/x'), 'kept');
  await docker('volume', 'rm', 'held');
});

test("the output of Docker's containers goes through our driver and back", options, async () => {
  const words = 'echo one; echo two >&2; head -c 40000 /dev/zero | tr "\\0" x; echo; sleep 0.3; echo three';
  await docker('run', '--name', 'talks', '--network', 'none', '--log-driver', 'acme/every', 'busybox', 'sh', '-c', words);
  const { stdout, stderr } = await both('logs', 'talks');
  assert.deepEqual([stdout.replaceAll('\n', '').replaceAll('x', ''), stdout.match(/x/g)?.length, stderr], ['onethree', 40_000, 'two\n']);
  assert.equal((await both('logs', '--tail', '1', 'talks')).stdout, 'three\n');
  await docker('rm', 'talks');
  assert.match(
    await refused('run', '--rm', '--network', 'none', '--log-driver', 'acme/every', '--log-opt', 'nope=1', 'busybox', 'true'),
    /unknown log opt 'nope'/,
  );
});

test("Docker's containers meet on a network of ours, with addresses of ours", options, async () => {
  await docker('network', 'create', '-d', 'acme/every:latest', '--ipam-driver', 'acme/every:latest', 'net');
  await docker('run', '-d', '--name', 'there', '--network', 'net', 'busybox', 'sleep', '600');
  const seen = await docker('run', '--rm', '--network', 'net', 'busybox', 'sh', '-c', 'ip route; ping -c1 -W2 10.201.0.2');
  assert.match(seen, /^default via 10\.201\.0\.1[^]*1 packets received/m);
  const serve = ['sh', '-c', 'echo reached > /index.html; httpd -f -h / -p 80'];
  await docker('run', '-d', '--name', 'web', '--network', 'net', '-p', '8097:80', 'busybox', ...serve);
  const page = async (): Promise<string> => (await fetch('http://10.201.0.1:8097/index.html')).text();
  let seenPage = '';
  for (let tries = 0; tries < 100 && seenPage === ''; tries += 1) {
    seenPage = await page().catch(() => '');
    if (seenPage === '') await sleep(100);
  }
  assert.equal(seenPage, 'reached\n');
  assert.match(
    await refused('run', '--rm', '--network', 'net', '-p', '8097:80', 'busybox', 'true'),
    /port 8097\/tcp of the machine is (published for another container|in use)|port is already allocated/,
  );
  assert.match(await refused('run', '--rm', '--network', 'net', '-p', '80', 'busybox', 'true'), /without one port of the machine/);
  await docker('rm', '-f', 'web');
  await assert.rejects(page());
  await docker('rm', '-f', 'there');
  await docker('network', 'rm', 'net');
  assert.deepEqual(
    readdirSync('/sys/class/net').filter((name) => /^(ev-|gh|gc)/.test(name)),
    [],
  );
});

test("Docker's own daemon asks our driver who may do what", options, async () => {
  await dockerd.kill('SIGTERM');
  await start(['--authorization-plugin=acme/every:latest']);
  assert.match(
    await refused('create', '--network', 'none', '--name', 'forbidden', 'busybox'),
    /authorization denied by plugin acme\/every:latest: nobody may POST that name/,
  );
  await docker('create', '--network', 'none', '--name', 'allowed', 'busybox');
  await docker('rm', 'allowed');
  await dockerd.kill('SIGTERM');
  await start();
});

test('a packed plugin keeps its volumes while it is disabled by force, and goes without a trace', options, async () => {
  await docker('volume', 'create', '-d', 'acme/every', 'v-kept');
  await run('-v', 'v-kept:/data', 'busybox', 'sh', '-c', 'echo kept > /data/x');
  await docker('plugin', 'disable', '-f', 'acme/every');
  await docker('plugin', 'enable', 'acme/every');
  assert.equal(await run('-v', 'v-kept:/data', 'busybox', 'cat', '/data/x'), 'kept');
  await docker('volume', 'rm', 'v-kept');
  // By force: Docker counts uses in memory, and has lost count when it was killed.
  await docker('plugin', 'rm', '-f', 'acme/every');
  assert.deepEqual(mounted(), []);
});
