import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { Pty } from '../support/clients/pty.ts';

inNamespaces(import.meta.url);

// The real command line against the real engine: what users type and what they get back.
const bin = (name: string): string => join(import.meta.dirname, '../../core/bin', `${name}.mjs`);
const folder = mkdtempSync(join(tmpdir(), 'gantry-cli-'));
let daemon: Daemon;
let env: NodeJS.ProcessEnv;

before(async () => {
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
  env = { ...process.env, GANTRY_HOST: `unix://${daemon.places.socketPath}` };
  writeFileSync(join(folder, 'busybox.tar'), busyboxImage().archive);
  assert.deepEqual(await gantry('load', '-i', join(folder, 'busybox.tar')), {
    code: 0,
    stdout: 'Loaded image: busybox:latest\n',
    stderr: '',
  });
});
after(() => daemon[Symbol.asyncDispose]());

test('gantry run gives output, errors and the exit code of the process', async () => {
  assert.deepEqual(await gantry('run', '--rm', 'busybox', 'echo', 'hello'), { code: 0, stdout: 'hello\n', stderr: '' });
  assert.deepEqual(await gantry('run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 42'), {
    code: 42,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  assert.equal((await gantry('run', '--rm', 'busybox', 'sh', '-c', "sh -c 'kill -9 $$'; exit $?")).code, 137);
});

const failures: readonly (readonly [words: string, code: number, stderr: RegExp])[] = [
  ['run --rm busybox nosuchcommand', 127, /^gantry: .*nosuchcommand/],
  ['run --rm busybox /etc/passwd', 126, /^gantry: .*permission denied/],
  ['run --rm nosuchimage true', 125, /^Unable to find image 'nosuchimage:latest' locally\ngantry: /],
  ['run --rm --pull never nosuchimage true', 125, /^gantry: no such image: nosuchimage/i],
  ['run --bogus busybox', 125, /^gantry: unknown flag: --bogus\nhint: 'gantry run --help'/],
  ['run -p 1:2:3:4 busybox', 125, /^gantry: --publish: "1:2:3:4"/],
  ['run -it busybox sh', 125, /^gantry: the input device is not a terminal\nhint: /],
  ['run', 1, /^gantry: missing argument: IMAGE\n/],
  ['ps --format {{.ID}}', 125, /Go templates are not supported/],
  ['ps extra', 1, /takes 0 arguments, got 1/],
  ['logs nosuch', 1, /^gantry: no such container: nosuch\n$/i],
  ['inspect nosuch', 1, /^gantry: no such object: nosuch\n$/],
  ['rmi nosuch', 1, /^gantry: no such image: nosuch/i],
  ['volume rm nosuch', 1, /no such volume/],
  ['bogus', 1, /^gantry: unknown command: bogus\nhint: /],
  ['-H ssh://host ps', 1, /^gantry: host "ssh:\/\/host": ssh addresses are not supported\nhint: /],
  ['-H unix:///nowhere.sock ps', 1, /^gantry: cannot connect to the engine at unix:\/\/\/nowhere\.sock: is it running\?\n$/],
];
for (const [words, code, stderr] of failures) {
  test(`gantry ${words} ends with ${code}, says why in one line and leaves nothing`, async () => {
    const outcome = await gantry(...words.split(' '));
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr, stderr);
    assert.equal((await gantry('ps', '-aq')).stdout, '');
  });
}

test('gantry run -i pipes stdin through, a great deal of it', async () => {
  const input = 'x'.repeat(8 * 2 ** 20);
  const { code, stdout } = await gantry({ input }, 'run', '-i', '--rm', 'busybox', 'cat');
  assert.deepEqual([code, stdout.length, stdout === input], [0, input.length, true]);
});

test('gantry run ends when the process ends, though stdin goes on', async () => {
  const child = spawn(process.execPath, [bin('gantry'), 'run', '-i', '--rm', 'busybox', 'true'], {
    env,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const code = await new Promise((resolve) => child.on('exit', resolve));
  child.stdin?.destroy();
  assert.equal(code, 0);
});

test('gantry run hands signals on', async () => {
  const words = ['run', '--rm', 'busybox', 'sh', '-c', 'trap "echo got it; exit 5" USR1; echo ready; while :; do sleep 0.05; done'];
  const child = spawn(process.execPath, [bin('gantry'), ...words], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    if (output === '') child.kill('SIGUSR1');
    output += data.toString();
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.deepEqual([code, output], [5, 'ready\ngot it\n']);
});

test('gantry run -it is a terminal: size, resize, detach, attach, exit code', async () => {
  await using terminal = new Pty([process.execPath, bin('gantry'), 'run', '-it', '--name', 'tty', 'busybox', 'sh'], {
    env: environment(),
    rows: 30,
    columns: 100,
  });
  await terminal.expect(/# /);
  terminal.type('stty size\r');
  await terminal.expect(/30 100/);
  terminal.resize(40, 120);
  await waitFor(async () => (await gantry('exec', 'tty', 'true')).code === 0);
  terminal.type('stty size\r');
  await terminal.expect(/40 120/);
  terminal.type('\u0010\u0011');
  assert.equal(await terminal.exit, 0);
  await using again = new Pty([process.execPath, bin('gantry'), 'attach', 'tty'], { env: environment() });
  again.type('exit 3\r');
  assert.equal(await again.exit, 3);
  assert.equal((await gantry('rm', 'tty')).stdout, 'tty\n');
});

test('gantry exec runs a second process, with its exit code, stdin, user and environment', async () => {
  await using _container = await running('target');
  assert.deepEqual(
    await gantry('exec', '-e', 'A=1', '-u', '1000:100', '-w', '/tmp', 'target', 'sh', '-c', 'echo $A $(id -u):$(id -g) $PWD'),
    {
      code: 0,
      stdout: '1 1000:100 /tmp\n',
      stderr: '',
    },
  );
  assert.equal((await gantry('exec', 'target', 'sh', '-c', 'exit 9')).code, 9);
  assert.equal((await gantry({ input: 'piped' }, 'exec', '-i', 'target', 'cat')).stdout, 'piped');
  assert.equal((await gantry('exec', 'target', 'nosuchcommand')).code, 127);
  await using terminal = new Pty([process.execPath, bin('gantry'), 'exec', '-it', 'target', 'sh', '-c', 'stty size; exit 4'], {
    env: environment(),
    rows: 31,
    columns: 99,
  });
  await terminal.expect(/31 99/);
  assert.equal(await terminal.exit, 4);
});

test('gantry ps, inspect, top, stats, port, diff, wait, rename and update tell and change a running container', async () => {
  await using _container = await running('web', '-p', '127.0.0.1:8123:80', '-l', 'tier=front');
  assert.match(
    (await gantry('ps')).stdout,
    /^CONTAINER ID {3}IMAGE .*\n[0-9a-f]{12} {3}busybox .* Up .*127\.0\.0\.1:8123->80\/tcp {3}web\n$/,
  );
  const [row] = lines((await gantry('ps', '--format', 'json', '-f', 'label=tier=front')).stdout).map(
    (line) => JSON.parse(line) as Record<string, string>,
  );
  assert.deepEqual([row?.['Names'], row?.['State'], row?.['Labels']], ['web', 'running', 'tier=front']);
  const [container] = JSON.parse((await gantry('inspect', 'web')).stdout) as { Name: string; State: { Status: string } }[];
  assert.deepEqual([container?.Name, container?.State.Status], ['/web', 'running']);
  assert.match((await gantry('top', 'web')).stdout, /sleep 1000/);
  assert.match((await gantry('stats', '--no-stream', 'web')).stdout, /web +\d+\.\d\d% +.*iB \/ .*iB/);
  assert.equal((await gantry('port', 'web', '80')).stdout, '127.0.0.1:8123\n');
  await gantry('exec', 'web', 'sh', '-c', 'echo x > /new; rm /etc/group');
  assert.deepEqual(lines((await gantry('diff', 'web')).stdout), ['C /etc', 'D /etc/group', 'A /new']);
  assert.equal((await gantry('rename', 'web', 'shop')).code, 0);
  assert.equal((await gantry('update', '--pids-limit', '50', 'shop')).stdout, 'shop\n');
  assert.equal((await gantry('pause', 'shop')).code, 0);
  assert.match((await gantry('ps')).stdout, /\(Paused\)/);
  assert.equal((await gantry('unpause', 'shop')).code, 0);
  const waiting = gantry('wait', 'shop');
  assert.equal((await gantry('stop', '-t', '0', 'shop')).stdout, 'shop\n');
  assert.equal((await waiting).stdout, '137\n');
  assert.equal((await gantry('start', 'shop')).stdout, 'shop\n');
  assert.equal((await gantry('rename', 'shop', 'web')).code, 0);
});

test('gantry update publishes ports of a running container, and no longer, and both outlast restarts of it and of the engine', async () => {
  const command = 'echo hello > /index.html; exec httpd -f -p 80 -h /';
  await gantry('run', '-d', '--name', 'site', '-p', '127.0.0.1:8180:80', 'busybox', 'sh', '-c', command);
  const read = async (port: number) =>
    (
      await fetch(`http://127.0.0.1:${port}/`).then(
        (answer) => answer.text(),
        () => 'nobody',
      )
    ).trim();
  const all = () => Promise.all([8180, 8181].map(read));
  assert.deepEqual(await gantry('update', '--publish-add', '8181:80', '--publish-rm', '8180:80', 'site'), {
    code: 0,
    stdout: 'site\n',
    stderr: '',
  });
  assert.deepEqual(await all(), ['nobody', 'hello']);
  assert.equal((await gantry('port', 'site', '80')).stdout, '0.0.0.0:8181\n[::]:8181\n');
  await gantry('restart', '-t', '0', 'site');
  assert.deepEqual(await all(), ['nobody', 'hello'], 'after a restart of the container');
  await daemon.kill();
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
  assert.deepEqual(await all(), ['nobody', 'hello'], 'after a kill of the engine');
  await gantry('run', '-d', '--name', 'rival', '-p', '8182:80', 'busybox', 'sleep', '1000');
  for (const [port, message] of [
    ['8182:80', 'Bind for 0.0.0.0:8182 failed: port is already allocated to container rival'],
    ['8181:80', 'port 8181:80/tcp of container site is published already'],
  ] as const)
    assert.deepEqual(await gantry('update', '--publish-add', port, 'site'), { code: 1, stdout: '', stderr: `gantry: ${message}\n` });
  assert.equal((await gantry('update', '--publish-rm', '80', 'site')).code, 0);
  assert.deepEqual(await all(), ['nobody', 'nobody']);
  assert.equal((await gantry('inspect', '--format', 'json', 'site')).stdout.includes('8181'), false);
  await gantry('rm', '-f', 'site', 'rival');
});

test('gantry logs shows both streams, the tail, times, and follows to the end', async () => {
  await gantry('run', '-d', '--name', 'talker', 'busybox', 'sh', '-c', 'echo one; echo two >&2; echo three');
  await gantry('wait', 'talker');
  const { stdout, stderr } = await gantry('logs', '-f', 'talker');
  assert.deepEqual([stdout, stderr], ['one\nthree\n', 'two\n']);
  const last = await gantry('logs', '--tail', '1', 'talker');
  assert.equal(lines(last.stdout + last.stderr).length, 1);
  assert.match((await gantry('logs', '-t', 'talker')).stdout, /\n\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z three\n$/);
  assert.equal((await gantry('start', '-a', 'talker')).stdout, 'one\nthree\n');
  await gantry('rm', 'talker');
});

test('gantry cp copies files and folders in and out, also of a stopped container', async () => {
  await gantry('create', '--name', 'box', 'busybox', 'true');
  const source = join(folder, 'source');
  mkdirSync(join(source, 'sub'), { recursive: true });
  writeFileSync(join(source, 'sub', 'file'), 'content\n', { mode: 0o640 });
  symlinkSync('sub/file', join(source, 'link'));
  const steps = [
    ['cp', source, 'box:/tmp'],
    ['cp', join(source, 'sub', 'file'), 'box:/tmp/renamed'],
    ['cp', `${source}/.`, 'box:/tmp'],
    ['cp', 'box:/tmp/source', join(folder, 'out')],
    ['cp', 'box:/tmp/renamed', join(folder, 'renamed')],
    ['cp', 'box:/tmp/sub/.', join(folder, 'out')],
  ];
  for (const step of steps) assert.deepEqual(await gantry(...step), { code: 0, stdout: '', stderr: '' }, step.join(' '));
  const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
  assert.deepEqual(
    ['out/sub/file', 'out/link', 'renamed', 'out/file'].map(read),
    Array.from({ length: 4 }, () => 'content\n'),
  );
  assert.equal(statSync(join(folder, 'out/sub/file')).mode & 0o777, 0o640);
  const refused = [
    ['cp', 'box:/nosuch', folder],
    ['cp', join(folder, 'nosuch'), 'box:/tmp'],
    ['cp', 'box:/tmp', join(folder, 'renamed')],
    ['cp', source, 'box:/tmp/renamed'],
    ['cp', 'box:/etc/passwd', join(folder, 'no/such/folder')],
  ];
  for (const step of refused) {
    const { code, stderr } = await gantry(...step);
    assert.equal(code, 1, step.join(' '));
    assert.match(stderr, /^gantry: .+\n/);
  }
  assert.equal((await gantry('cp', source, folder)).code, 125);
  await gantry('rm', 'box');
});

test('gantry save, load, export, import, commit, tag, history and rmi move images about', async () => {
  const file = join(folder, 'saved.tar');
  assert.equal((await gantry('save', '-o', file, 'busybox')).code, 0);
  const { stdout: piped } = await gantryBytes('save', 'busybox');
  assert.ok(readFileSync(file).equals(piped), 'the file and the pipe differ');
  assert.equal((await gantry('tag', 'busybox', 'copy:v1')).code, 0);
  assert.match((await gantry('images', '--format', 'json', 'copy')).stdout, /"Repository":"copy","Tag":"v1"/);
  assert.equal((await gantry('rmi', 'copy:v1')).stdout, 'Untagged: copy:v1\n');
  await gantry('run', '--name', 'maker', 'busybox', 'sh', '-c', 'echo made > /made');
  assert.match((await gantry('commit', '-c', 'CMD ["cat", "/made"]', 'maker', 'made')).stdout, /^sha256:[0-9a-f]{64}\n$/);
  assert.equal((await gantry('run', '--rm', 'made')).stdout, 'made\n');
  assert.ok(lines((await gantry('history', 'made')).stdout).length >= 3);
  const exported = join(folder, 'exported.tar');
  assert.equal((await gantry('export', '-o', exported, 'maker')).code, 0);
  assert.match((await gantry('import', '-c', 'CMD ["cat", "/made"]', exported, 'flat')).stdout, /^sha256:[0-9a-f]{64}\n$/);
  assert.equal((await gantry('run', '--rm', 'flat')).stdout, 'made\n');
  await gantry('rm', 'maker');
  assert.equal((await gantry('rmi', 'made', 'flat')).code, 0);
  assert.equal((await gantry({ input: readFileSync(file) }, 'load')).stdout, 'Loaded image: busybox:latest\n');
});

test('gantry load takes an OCI layout in a folder and import the files of one; others are refused by name', async () => {
  const layout = join(folder, 'layout');
  mkdirSync(layout);
  await gantry('save', '-o', join(folder, 'layout.tar'), 'busybox');
  execFileSync('tar', ['-xf', join(folder, 'layout.tar'), '-C', layout]);
  assert.match((await gantry('load', '-i', layout)).stdout, /^Loaded image: busybox:latest$/m);
  const files = join(folder, 'files');
  mkdirSync(files);
  writeFileSync(join(files, 'hello'), 'from a folder');
  assert.match((await gantry('import', files, 'of-folder')).stdout, /^sha256:[0-9a-f]{64}\n$/);
  await gantry('create', '--name', 'of-folder', 'of-folder', '/x');
  assert.equal((await gantry('cp', 'of-folder:/hello', join(folder, 'hello'))).code, 0);
  assert.equal(readFileSync(join(folder, 'hello'), 'utf8'), 'from a folder');
  await gantry('rm', 'of-folder');
  await gantry('rmi', 'of-folder');
  const { code, stderr } = await gantry('load', '-i', files);
  assert.deepEqual([code, /files holds no image: neither oci-layout nor manifest.json is in it/.test(stderr)], [1, true], stderr);
});

test('gantry save to a place that cannot be written leaves no half of a file', async () => {
  const { code, stderr } = await gantry('save', '-o', '/proc/nosuch', 'busybox');
  assert.deepEqual([code, stderr.startsWith('gantry: cannot write the file')], [1, true], stderr);
  const file = join(folder, 'never.tar');
  assert.equal((await gantry('save', '-o', file, 'nosuch')).code, 1);
  assert.equal(existsSync(file), false);
});

test('gantry volume keeps what containers write, and refuses to remove what is used', async () => {
  assert.equal((await gantry('volume', 'create', '--label', 'a=b', 'notes')).stdout, 'notes\n');
  await gantry('run', '--rm', '-v', 'notes:/notes', 'busybox', 'sh', '-c', 'echo kept > /notes/today');
  assert.equal((await gantry('run', '--rm', '--mount', 'src=notes,dst=/n,ro', 'busybox', 'cat', '/n/today')).stdout, 'kept\n');
  await gantry('create', '--name', 'user', '-v', 'notes:/n', 'busybox');
  const { code, stderr } = await gantry('volume', 'rm', 'notes');
  assert.deepEqual([code, /volume is in use/.test(stderr)], [1, true], stderr);
  await gantry('rm', 'user');
  assert.match((await gantry('volume', 'ls')).stdout, /^DRIVER {3}VOLUME NAME\nlocal {4}notes\n$/);
  await gantry('volume', 'create', '-o', 'size=16m', 'small');
  await gantry('create', '--name', 'user', '-v', 'small:/n', 'busybox');
  const sized = /^DRIVER +VOLUME NAME +SIZE +LIMIT +LINKS\nlocal +notes +5B +0\nlocal +small +[\d.]+[kM]B +16\.8MB +1\n$/;
  assert.match((await gantry('volume', 'ls', '--size')).stdout, sized);
  assert.equal((await gantry('volume', 'ls', '-sq', '-f', 'name=small')).stdout, 'small\n');
  await gantry('rm', 'user');
  assert.equal((await gantry('volume', 'rm', 'small')).stdout, 'small\n');
  assert.match((await gantry('volume', 'prune', '-af')).stdout, /^Deleted Volumes:\nnotes\n\nTotal reclaimed space: /);
});

test('gantry network makes networks on which containers find each other by name', async () => {
  assert.match(
    (await gantry('network', 'create', '--subnet', '10.77.0.0/24', '--gateway', '10.77.0.1', 'town')).stdout,
    /^[0-9a-f]{64}\n$/,
  );
  await using _server = await running('server', '--network', 'name=town,ip=10.77.0.9');
  assert.match((await gantry('run', '--rm', '--network', 'town', 'busybox', 'ping', '-c', '1', 'server')).stdout, /10\.77\.0\.9/);
  const { code, stderr } = await gantry('network', 'rm', 'town');
  assert.deepEqual([code, /active endpoints/.test(stderr)], [1, true], stderr);
  assert.equal((await gantry('network', 'disconnect', 'town', 'server')).code, 0);
  assert.equal((await gantry('network', 'rm', 'town')).stdout, 'town\n');
});

test('gantry version, info, system df, events and plugin ls answer as text and as JSON', async () => {
  for (const words of ['version', 'info', 'system df', 'plugin ls', 'network ls', 'events --since 1h --until 0s']) {
    const text = await gantry(...words.split(' '));
    const json = await gantry(...words.split(' '), '--format', 'json');
    assert.deepEqual([text.code, json.code], [0, 0], `${words}: ${text.stderr}${json.stderr}`);
    for (const line of lines(json.stdout)) JSON.parse(line);
  }
});

test('gantry system prune asks first, and without a terminal does nothing', async () => {
  await gantry('create', '--name', 'unused', 'busybox');
  assert.deepEqual([(await gantry('system', 'prune')).code, (await gantry('ps', '-aq')).stdout === ''], [1, false]);
  assert.match((await gantry('system', 'prune', '-f')).stdout, /^Deleted Containers:\n[0-9a-f]{64}\n/);
});

test('gantry ends quietly when its reader goes away', async () => {
  const pipe = `"$0" "$1" run --rm busybox sh -c 'seq 1 100000' | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const output = execFileSync('bash', ['-c', pipe, process.execPath, bin('gantry')], { env, encoding: 'utf8' });
  assert.equal(output, '1\n0\n');
});

test('gantry starts one engine in the background when no host was named, however many ask at once', async () => {
  // Its data root and its log are below /var.
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/var']);
  const { GANTRY_HOST: _host, DOCKER_HOST: _docker, ...bare } = env;
  const outcomes = await Promise.all(Array.from({ length: 3 }, async () => gantry({ env: bare }, 'ps', '-q')));
  for (const { code, stderr } of outcomes) {
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^(gantry: no engine is running: starting gantryd in the background .*\n)?$/);
  }
  assert.deepEqual(await gantry({ env: bare }, 'ps', '-q'), { code: 0, stdout: '', stderr: '' });
  // Those that came too late find the data root taken and end.
  await waitFor(async () => engines().length === 1);
  const [engine = ''] = engines();
  process.kill(Number(engine), 'SIGTERM');
  await waitFor(async () => engines().length === 0);
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
interface Options {
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
}

async function gantry(...given: readonly (string | Options)[]): Promise<Outcome> {
  const { code, stdout, stderr } = await gantryBytes(...given);
  return { code, stdout: stdout.toString(), stderr };
}

async function gantryBytes(...given: readonly (string | Options)[]): Promise<Omit<Outcome, 'stdout'> & { readonly stdout: Buffer }> {
  const words = given.filter((word) => typeof word === 'string');
  const options = given.find((word) => typeof word !== 'string');
  const stdin = options?.input === undefined ? 'ignore' : 'pipe';
  const child = spawn(process.execPath, [bin('gantry'), ...words], { env: options?.env ?? env, stdio: [stdin, 'pipe', 'pipe'] });
  child.stdin?.on('error', () => undefined).end(options?.input);
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  const [stdout, stderr, code] = await Promise.all([bytes(child.stdout), bytes(child.stderr), ended]);
  return { code, stdout, stderr: stderr.toString() };
}

async function bytes(stream: AsyncIterable<Buffer> | null): Promise<Buffer> {
  return stream === null ? Buffer.alloc(0) : Buffer.concat(await Array.fromAsync(stream));
}

async function running(name: string, ...flags: readonly string[]): Promise<AsyncDisposable> {
  const { code, stderr } = await gantry('run', '-d', '--name', name, ...flags, 'busybox', 'sleep', '1000');
  assert.equal(code, 0, stderr);
  return { [Symbol.asyncDispose]: async () => assert.equal((await gantry('rm', '-f', name)).code, 0) };
}

function engines(): string[] {
  return lines(spawnSync('pgrep', ['-f', 'gantryd.mjs --idle-exit'], { encoding: 'utf8' }).stdout);
}

function environment(): Readonly<Record<string, string>> {
  return { GANTRY_HOST: env['GANTRY_HOST'] ?? '' };
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

async function waitFor(isDone: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await isDone())) {
    if (performance.now() > deadline) throw new Error('it did not happen within ten seconds');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
