import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { Pty } from '../support/clients/pty.ts';

inNamespaces(import.meta.url);

const skip = spawnSync('docker', ['--version']).status === 0 ? false : 'needs the docker CLI';
const options = { skip, timeout: 60_000 };
const folder = mkdtempSync(join(tmpdir(), 'cli-'));
let daemon: Daemon;
let api: DockerApi;
before(async () => {
  daemon = await Daemon.start({ folder });
  api = new DockerApi(daemon.places.socketPath);
  writeFileSync(join(folder, 'busybox.tar'), busyboxImage().archive);
});
after(() => daemon[Symbol.asyncDispose]());

/** Runs `docker ARGS`, which must succeed, and answers its output without the last newline. */
async function docker(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await api.docker(args);
  assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}`);
  return stdout.trimEnd();
}
/** Runs `docker ARGS`, which must fail, and answers what it says. */
async function refused(...args: readonly string[]): Promise<string> {
  const { code, stderr } = await api.docker(args);
  assert.notEqual(code, 0, `docker ${args.join(' ')} should fail`);
  return stderr;
}
const statusOf = (container: string) => docker('inspect', '-f', '{{.State.Status}}', container);

test('docker load, images, history, tag, save, rmi', options, async () => {
  assert.equal(await docker('load', '-i', join(folder, 'busybox.tar')), 'Loaded image: busybox:latest');
  assert.match(await docker('images', '--format', '{{.Repository}}:{{.Tag}}'), /^busybox:latest$/);
  assert.notEqual(await docker('history', '-q', 'busybox'), '');
  await docker('tag', 'busybox', 'registry.example:5000/a/b:1');
  await docker('save', '-o', join(folder, 'saved.tar'), 'registry.example:5000/a/b:1');
  assert.match(await docker('rmi', 'registry.example:5000/a/b:1'), /Untagged: registry.example:5000\/a\/b:1/);
  assert.equal(await docker('load', '-qi', join(folder, 'saved.tar')), 'Loaded image: registry.example:5000/a/b:1');
  assert.match(await refused('rmi', 'nope'), /No such image: nope/);
});

test('docker run: output, stdin, exit codes, removal', options, async () => {
  const both = await api.docker(['run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
  assert.deepEqual(both, { code: 3, stdout: 'out\n', stderr: 'err\n' });
  const input = 'line of input\n'.repeat(100_000);
  assert.equal((await api.docker(['run', '-i', '--rm', 'busybox', 'cat'], { input })).stdout, input);
  assert.equal((await api.docker(['run', '--rm', 'busybox', 'nosuch'])).code, 127);
  assert.equal((await api.docker(['run', '--rm', 'busybox', '/etc/passwd'])).code, 126);
  assert.equal((await api.docker(['run', '--rm', 'nosuchimage:1'])).code, 125);
  assert.equal(
    await docker('run', '--rm', '-e', 'A=b', '-w', '/tmp', '-h', 'name', 'busybox', 'sh', '-c', 'echo $A $PWD $(hostname)'),
    'b /tmp name',
  );
  assert.equal(await docker('ps', '-aq'), '');
});

test('docker create, start, ps, inspect, stop, start -a, wait, rm', options, async () => {
  await docker('create', '--name', 'life', '--label', 'a=b', 'busybox', 'sh', '-c', 'echo begun; sleep 1000');
  assert.equal(await statusOf('life'), 'created');
  await docker('start', 'life');
  assert.equal(await docker('ps', '--filter', 'label=a=b', '--format', '{{.Names}} {{.State}}'), 'life running');
  assert.match(await docker('ps', '--format', '{{.Status}}'), /^Up /);
  assert.match(await refused('rm', 'life'), /container is running/);
  await docker('stop', '-t', '0', 'life');
  assert.equal(await docker('inspect', '-f', '{{.State.ExitCode}}', 'life'), '137');
  assert.equal(await docker('wait', 'life'), '137');
  await docker('start', 'life');
  await docker('restart', '-t', '0', 'life');
  await docker('kill', 'life');
  await docker('rename', 'life', 'afterlife');
  await docker('rm', 'afterlife');
  assert.match(await refused('inspect', 'life'), /[Nn]o such object: life/);
});

test('docker logs: tail, since, timestamps, follow', options, async () => {
  await docker('run', '--name', 'logged', 'busybox', 'sh', '-c', 'for i in 1 2 3 4; do echo line $i; done; echo bad >&2');
  assert.equal(await docker('logs', '--tail', '2', 'logged'), 'line 4');
  assert.match(await docker('logs', '-t', '--tail', '2', 'logged'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 4$/);
  assert.equal(await docker('logs', '--until', '2020-01-01T00:00:00Z', 'logged'), '');
  assert.equal((await api.docker(['logs', 'logged'])).stderr, 'bad\n');
  await docker('run', '-d', '--name', 'followed', 'busybox', 'sh', '-c', 'for i in 1 2 3; do echo $i; sleep 0.2; done');
  assert.equal(await docker('logs', '-f', 'followed'), '1\n2\n3');
  await docker('rm', 'logged', 'followed');
});

test('docker logs gives every one of 200,000 lines', options, async () => {
  await docker('run', '--name', 'long', '-d', 'busybox', 'seq', '200000');
  await docker('wait', 'long');
  const lines = (await docker('logs', 'long')).split('\n');
  assert.deepEqual([lines.length, lines.at(0), lines.at(-1)], [200_000, '1', '200000']);
  await docker('rm', 'long');
});

test('docker exec: output, stdin, exit codes, user, detached', options, async () => {
  await docker('run', '-d', '--name', 'target', 'busybox', 'sleep', '1000');
  assert.deepEqual(await api.docker(['exec', 'target', 'sh', '-c', 'echo o; echo e >&2; exit 9']), {
    code: 9,
    stdout: 'o\n',
    stderr: 'e\n',
  });
  assert.equal((await api.docker(['exec', '-i', 'target', 'cat'], { input: 'piped' })).stdout, 'piped');
  assert.equal((await api.docker(['exec', 'target', 'nosuch'])).code, 127);
  assert.equal(
    await docker('exec', '-u', 'nobody', '-w', '/tmp', '-e', 'X=y', 'target', 'sh', '-c', 'id -un; pwd; echo $X'),
    'nobody\n/tmp\ny',
  );
  await docker('exec', '-d', 'target', 'touch', '/made');
  await sleep(500);
  assert.equal(await docker('exec', 'target', 'ls', '/made'), '/made');
});

test('docker top, stats, pause, unpause, update, diff, port', options, async () => {
  assert.match(await docker('top', 'target'), /sleep 1000/);
  assert.match(await docker('stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}} {{.MemUsage}}', 'target'), /^target 1 [1-9]/);
  await docker('pause', 'target');
  assert.equal(await statusOf('target'), 'paused');
  assert.match(await refused('exec', 'target', 'true'), /is paused/);
  await docker('unpause', 'target');
  await docker('update', '--memory', '64m', '--memory-swap', '64m', 'target');
  assert.equal(await docker('inspect', '-f', '{{.HostConfig.Memory}}', 'target'), String(64 * 2 ** 20));
  assert.match(await docker('diff', 'target'), /^A \/made$/m);
  assert.equal(await docker('port', 'target'), '');
});

test('docker cp in and out, also of folders and through a pipe', options, async () => {
  mkdirSync(join(folder, 'tree/below'), { recursive: true });
  writeFileSync(join(folder, 'tree/below/file'), 'content');
  await docker('cp', join(folder, 'tree'), 'target:/opt');
  assert.equal(await docker('exec', 'target', 'cat', '/opt/below/file'), 'content');
  await docker('cp', 'target:/opt/below/file', join(folder, 'copied'));
  assert.equal(readFileSync(join(folder, 'copied'), 'utf8'), 'content');
  assert.match((await api.docker(['cp', 'target:/opt', '-'])).stdout, /below\/file/);
  assert.match(await refused('cp', 'target:/nope', folder), /Could not find the file \/nope in container target/);
});

test('docker commit, export, import', options, async () => {
  assert.match(await docker('commit', '-c', 'CMD ["cat","/made"]', '-m', 'said', 'target', 'made:1'), /^sha256:/);
  assert.equal(await docker('run', '--rm', 'made:1'), '');
  await docker('export', '-o', join(folder, 'rootfs.tar'), 'target');
  assert.match(await docker('import', join(folder, 'rootfs.tar'), 'imported:1'), /^sha256:/);
  assert.equal(await docker('run', '--rm', 'imported:1', 'ls', '/made'), '/made');
  await docker('rmi', 'made:1', 'imported:1');
});

test('docker volume and a mount of it', options, async () => {
  assert.equal(await docker('volume', 'create', '--label', 'x=y', 'data'), 'data');
  await docker('run', '--rm', '-v', 'data:/data', 'busybox', 'sh', '-c', 'echo kept > /data/file');
  assert.equal(await docker('run', '--rm', '-v', 'data:/data:ro', 'busybox', 'cat', '/data/file'), 'kept');
  assert.match(await docker('volume', 'ls', '--filter', 'label=x=y', '-q'), /^data$/);
  assert.equal(await docker('volume', 'inspect', '-f', '{{.Name}} {{.Driver}}', 'data'), 'data local');
  await docker('volume', 'rm', 'data');
  assert.match(await refused('volume', 'inspect', 'data'), /no such volume/);
});

test('docker network: containers find each other by name', options, async () => {
  await docker('network', 'create', '--subnet', '10.77.0.0/24', 'net');
  assert.equal(await docker('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}}', 'net'), '10.77.0.0/24');
  await docker(
    'run',
    '-d',
    '--name',
    'server',
    '--network',
    'net',
    'busybox',
    'sh',
    '-c',
    'mkdir /w; echo page > /w/index.html; httpd -f -p 80 -h /w',
  );
  assert.equal(await docker('run', '--rm', '--network', 'net', 'busybox', 'sh', '-c', 'sleep 0.3; wget -qO- http://server/'), 'page');
  await docker('network', 'connect', 'net', 'target');
  assert.match(await docker('inspect', '-f', '{{json .NetworkSettings.Networks}}', 'target'), /"net":\{.*"IPAddress":"10\.77\.0\./);
  await docker('network', 'disconnect', 'net', 'target');
  assert.match(await refused('network', 'rm', 'net'), /has active endpoints/);
  await docker('rm', '-f', 'server');
  await docker('network', 'rm', 'net');
});

test('docker run -p shows the published port', options, async () => {
  await docker('run', '-d', '--name', 'published', '-p', '127.0.0.1:8099:80', 'busybox', 'httpd', '-f', '-p', '80');
  assert.equal(await docker('port', 'published'), '80/tcp -> 127.0.0.1:8099');
  assert.match(await docker('ps', '--filter', 'name=published', '--format', '{{.Ports}}'), /^127\.0\.0\.1:8099->80\/tcp$/);
  await docker('rm', '-f', 'published');
});

test('docker run -it: a terminal with its size, resizing, detaching and attaching again', options, async () => {
  await using terminal = new Pty(['docker', 'run', '-it', '--name', 'tty', 'busybox', 'sh'], {
    env: api.environment,
    rows: 33,
    columns: 101,
  });
  await terminal.expect(/# /);
  terminal.type('stty size\r');
  await terminal.expect(/33 101\r\n/);
  terminal.resize(40, 120);
  await sleep(300);
  terminal.type('stty size\r');
  await terminal.expect(/40 120\r\n/);
  terminal.type('tty; echo is $((6*7))\r');
  await terminal.expect(/\/dev\/pts\/0\r\nis 42\r\n/);
  terminal.type('\u0010\u0011');
  assert.equal(await terminal.exit, 0);
  assert.equal(await statusOf('tty'), 'running');
  await using again = new Pty(['docker', 'attach', 'tty'], { env: api.environment });
  again.type('\r');
  await again.expect(/# /);
  again.type('exit 12\r');
  assert.equal(await again.exit, 12);
  await docker('rm', 'tty');
});

test('docker exec -it: a terminal, and its exit code', options, async () => {
  await using terminal = new Pty(['docker', 'exec', '-it', 'target', 'sh'], { env: api.environment, rows: 30, columns: 90 });
  await terminal.expect(/# /);
  await sleep(200);
  terminal.type('stty size\r');
  await terminal.expect(/30 90\r\n/);
  terminal.type('exit 6\r');
  assert.equal(await terminal.exit, 6);
});

test('docker run --detach-keys takes other keys', options, async () => {
  const args = ['run', '-it', '--detach-keys', 'ctrl-a,x', '--name', 'keys', 'busybox', 'sh'];
  await using terminal = new Pty(['docker', ...args], { env: api.environment });
  await terminal.expect(/# /);
  terminal.type('\u0001');
  await sleep(100);
  terminal.type('x');
  assert.equal(await terminal.exit, 0);
  assert.equal(await statusOf('keys'), 'running');
  await docker('rm', '-f', 'keys');
});

test('docker events tells the life of a container', options, async () => {
  const since = Math.floor(Date.now() / 1e3) - 1;
  await docker('run', '--rm', '--name', 'told', 'busybox', 'true');
  const until = Math.floor(Date.now() / 1e3) + 1;
  const events = await docker(
    'events',
    '--since',
    String(since),
    '--until',
    String(until),
    '--filter',
    'container=told',
    '--format',
    '{{.Action}}',
  );
  assert.deepEqual(events.split('\n'), ['create', 'attach', 'start', 'die', 'destroy']);
});

test('docker version, info, system df and the prunes', options, async () => {
  assert.match(await docker('version', '--format', '{{.Server.APIVersion}} {{.Server.Os}}'), /^1\.51 linux$/);
  assert.match(await docker('info', '--format', '{{.ServerVersion}} {{.Swarm.LocalNodeState}}'), /^\d+\.\d+\.\d+ inactive$/);
  assert.match(await docker('system', 'df'), /Containers\s+1\s+1/);
  await docker('system', 'df', '-v');
  for (const what of ['container', 'volume', 'network', 'image', 'system']) await docker(what, 'prune', '-f');
  await docker('rm', '-f', 'target');
});
