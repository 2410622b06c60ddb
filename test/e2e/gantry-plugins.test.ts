import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { PluginDetails } from '@gantry/sdk/client';
import { type CliResult, type DockerApi, dockerApi } from '../support/clients/docker-api.ts';
import { memoryEngine } from '../support/engine/memory-engine/index.ts';
import { Pty } from '../support/clients/pty.ts';

const program = join(import.meta.dirname, '../../core/bin/gantry.mjs');
const examples = join(import.meta.dirname, '../examples');
const nfs = 'reg:5000/acme/nfs:1.4';
const next = 'reg:5000/acme/nfs:1.5';
const wider = 'reg:5000/acme/nfs:2.0';
const broken = 'reg:5000/acme/nfs:1.6-broken';
const folder = mkdtempSync(join(tmpdir(), 'gantry-plugin-'));

const engine = memoryEngine();
let api: DockerApi & AsyncDisposable;
before(async () => void (api = await dockerApi(engine)));
after(async () => {
  await api[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const environment = () => ({ ...process.env, GANTRY_HOST: `unix://${api.socketPath}` });

/** Runs `gantry plugin ARGS`. */
function run(args: readonly string[], input = ''): Promise<CliResult> {
  return gantry(['plugin', ...args], input);
}
async function gantry(words: readonly string[], input = ''): Promise<CliResult> {
  const child = spawn(process.execPath, [program, ...words], { env: environment(), timeout: 30_000, killSignal: 'SIGKILL' });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
  child.stdin.on('error', () => undefined).end(input);
  const [code] = await once(child, 'close');
  return { code, ...output };
}
/** The same, which must succeed; its stdout without the last newline. */
async function plugin(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  assert.equal(code, 0, `gantry plugin ${args.join(' ')}: ${stderr}`);
  return stdout.trimEnd();
}
async function inspect(name: string): Promise<PluginDetails> {
  const [found] = JSON.parse(await plugin('inspect', name)) as readonly PluginDetails[];
  assert.ok(found !== undefined);
  return found;
}

const manifest = (more: object = {}) => ({
  manifestVersion: 1,
  name: 'acme.mine',
  version: '1.0.0',
  description: 'for trying',
  provides: [{ contract: 'volume', versions: ['v1'], drivers: ['mine'] }],
  options: { volume: {} },
  entry: { node: 'main.js' },
  ...more,
});
/** A plugin's folder. */
function pluginFolder(name: string, document: object | string, source: string = "export default 'mine';\n"): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'main.js'), source);
  writeFileSync(join(path, 'gantry-plugin.json'), typeof document === 'string' ? document : JSON.stringify(document));
  return path;
}

test('gantry plugin install shows the privileges and asks; without a terminal nothing is installed', async () => {
  const { code, stderr } = await run(['install', '--alias', 'nfs', nfs]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /"nfs" is requesting the following privileges:\n - network: \[host\].*\n - mount type: \[nfs4\].*\n.*not a terminal: say --grant-all-permissions\)\nNothing was installed/,
  );
  await using terminal = new Pty([process.execPath, program, 'plugin', 'install', '--alias', 'nfs', nfs, 'SERVER=files', 'TOKEN=hidden'], {
    env: environment(),
  });
  await terminal.expect(/Do you grant the above permissions\?/);
  terminal.type('y\r');
  assert.equal(await terminal.exit, 0);
  const { state, settings, secrets } = await inspect('nfs');
  assert.deepEqual([state, settings, secrets], ['ready', { SERVER: 'files' }, ['TOKEN']]);
});

test('gantry plugin ls shows how plugins fare, filters, and prints JSON', async () => {
  const table = await plugin('ls');
  assert.match(table, /^NAME +PROVIDES +PLACEMENT +STATE +ENABLED +VERSION$/m);
  assert.match(table, /^nfs +volume\/nfs +process +ready +true +1\.4\.0$/m);
  assert.equal(await plugin('ls', '-q', '-f', 'provides=volume/nfs'), 'nfs');
  assert.equal((JSON.parse(await plugin('ls', '--format', 'json', '-f', 'name=nfs')) as { readonly State: string }).State, 'ready');
});

test('gantry plugin inspect shows state, error, hint, users and the end of the output of one that fails', async () => {
  const user = { kind: 'container', id: 'ab', name: 'web', driver: 'volume/nfs', hard: true } as const;
  engine.plugins.use('nfs', [user]);
  engine.plugins.say('nfs', 'Error: server away', 'stderr');
  engine.plugins.crash('nfs');
  const { state, enabled, error, hint, users, output } = await inspect('nfs');
  assert.deepEqual([state, enabled, users, output.at(-1)], ['quarantined', true, [user], 'Error: server away']);
  assert.match(`${error}|${hint}`, /exit code 7.*\|.*gantry plugin enable nfs/);
  assert.match((await run(['ls'])).stderr, /^nfs: it ended with exit code 7 .*\(look at its output/m);
  assert.equal(await plugin('enable', 'nfs'), 'nfs');
  assert.equal((await inspect('nfs')).state, 'ready');
});

test('gantry inspect finds a plugin when nothing else has the name', async () => {
  const { code, stdout } = await gantry(['inspect', 'nfs', '--format', 'json']);
  assert.deepEqual([code, (JSON.parse(stdout) as readonly PluginDetails[])[0]?.name], [0, 'nfs']);
  assert.match((await gantry(['inspect', 'nope'])).stderr, /no such object: nope/);
});

test('gantry plugin install shows what is asked for on lines of its own, whatever a manifest says', async () => {
  const { manifest: its } = await engine.plugins.offer(nfs);
  engine.plugins.packages.add('acme/sly:1', { ...its, privileges: { hostPaths: ['/a\u001b[2K\r\u202enone'] } });
  const { stderr } = await run(['install', 'acme/sly:1']);
  assert.match(stderr, /^ - mount: \[\/a \[2K none\]/m);
});

test('gantry plugin disable and rm say who is in the way, and go through it when forced', async () => {
  assert.match((await run(['disable', 'nfs'])).stderr, /plugin "nfs" is in use by container web/);
  assert.equal(await plugin('disable', '-f', 'nfs'), 'nfs');
  assert.match((await run(['rm', 'nfs'])).stderr, /is in use by container web/);
  engine.plugins.use('nfs', []);
  await plugin('enable', 'nfs');
  assert.match((await run(['rm', 'nfs'])).stderr, /plugin nfs is enabled/);
});

test('gantry plugin set takes all or nothing, and resets', async () => {
  await plugin('set', 'nfs', 'RETRIES=3', 'SERVER=a=b');
  assert.deepEqual((await inspect('nfs')).settings, { SERVER: 'a=b', RETRIES: 3 });
  assert.equal((await run(['set', 'nfs', 'SERVER=c', 'RETRIES=x'])).code, 1);
  await plugin('set', 'nfs', '--reset', 'RETRIES');
  assert.deepEqual((await inspect('nfs')).settings, { SERVER: 'a=b' });
});

test('gantry plugin set --secret takes it from a file that not everybody reads, or from stdin', async () => {
  const file = join(folder, 'password');
  writeFileSync(file, 'from a file\n', { mode: 0o600 });
  await plugin('set', 'nfs', '--secret', `SERVER=${file}`);
  assert.deepEqual((await inspect('nfs')).settings, { SERVER: 'from a file' });
  assert.equal((await run(['set', 'nfs', '--secret', 'SERVER=-'], 'a=b\n')).code, 0);
  assert.deepEqual((await inspect('nfs')).settings, { SERVER: 'a=b' });
  chmodSync(file, 0o604);
  const { code, stderr } = await run(['set', 'nfs', '--secret', `TOKEN=${file}`]);
  assert.equal(code, 125);
  assert.match(stderr, /--secret: every user of this machine can read .*password \(mode 604\)\nhint: chmod o-r /);
});

test('gantry plugin upgrade asks only for what is new, and rollback goes back', async () => {
  assert.equal(await plugin('upgrade', 'nfs', next), 'nfs: 1.4.0 -> 1.5.0');
  assert.match((await run(['upgrade', 'nfs', broken])).stderr, /1\.6\.0-broken did not start/);
  assert.equal((await inspect('nfs')).version, '1.5.0');
  assert.equal(await plugin('rollback', 'nfs'), 'nfs: 1.5.0 -> 1.4.0');
  assert.equal(await plugin('upgrade', '-q', 'nfs'), 'nfs: 1.4.0 -> 1.4.0');
  const wanting = await run(['upgrade', 'nfs', wider]);
  assert.equal(wanting.code, 1);
  assert.match(wanting.stderr, /It no longer asks for: - network: \[host\]/);
  assert.match(wanting.stderr, /requesting the following privileges:\n - mount type: \[nfs\] .*\n.*\nNothing was changed/);
  assert.equal(await plugin('upgrade', '--grant-all-permissions', 'nfs', wider), 'nfs: 1.4.0 -> 2.0.0');
  assert.match(
    (await run(['upgrade', 'nfs', nfs])).stderr,
    /requesting the following privileges:\n - network: \[host\] .*\n.*not a terminal/,
  );
  assert.equal(await plugin('rollback', 'nfs'), 'nfs: 2.0.0 -> 1.4.0');
});

test('gantry plugin logs prints the past, and with -f what comes', async () => {
  engine.plugins.say('nfs', 'one');
  engine.plugins.say('nfs', 'two');
  const { stdout, stderr } = await run(['logs', '-n', '3', 'nfs']);
  assert.deepEqual([stdout, stderr.startsWith('engine: ')], ['one\ntwo\n', true]);
  assert.match(await plugin('logs', '-t', '-n', '1', 'nfs'), /^\d{4}-.*Z two$/);
  const following = spawn(process.execPath, [program, 'plugin', 'logs', '-f', '-n', '1', 'nfs'], { env: environment() });
  const [first] = (await once(following.stdout, 'data')) as [Buffer];
  engine.plugins.say('nfs', 'three');
  const [second] = (await once(following.stdout, 'data')) as [Buffer];
  following.kill('SIGINT');
  assert.deepEqual([first.toString(), second.toString()], ['two\n', 'three\n']);
});

test('gantry plugin call prints the answer, and tries with --dry-run', async () => {
  const called = await plugin('call', 'volume/nfs', 'attach', '{"name":"v"}', '--dry-run');
  assert.deepEqual(JSON.parse(called), { method: 'attach', request: { name: 'v' }, dryRun: true });
  const { stdout } = await run(['call', 'volume/nfs', 'create', '-'], '{"name":"w"}');
  assert.deepEqual(JSON.parse(stdout), { method: 'create', request: { name: 'w' }, dryRun: false });
});

test('gantry plugin attach takes in a plugin of somebody else; bind says who serves', async () => {
  const token = join(folder, 'token');
  writeFileSync(token, 'secret\n', { mode: 0o600 });
  assert.equal(await plugin('attach', 'unix:///run/x.sock', '--token-file', token), 'outside');
  assert.equal((await inspect('outside')).placement, 'external');
  const { stderr } = await run(['install', '--grant-all-permissions', '--alias', 'nfs-two', next]);
  assert.match(stderr, /^Another plugin serves volume\/nfs: to have this one do it, gantry plugin bind volume\/nfs nfs-two$/m);
  await plugin('bind', 'volume/nfs', 'nfs-two');
  assert.match(await plugin('ls', '-f', 'name=nfs'), /^nfs +\(volume\/nfs\) /m);
  await plugin('rm', '-f', 'nfs-two', 'outside');
});

test('gantry plugin create, push', async () => {
  const path = pluginFolder('made', manifest({ name: 'made' }));
  assert.equal(await plugin('create', 'reg:5000/acme/made:1', path), 'reg:5000/acme/made:1');
  assert.match(await plugin('push', 'reg:5000/acme/made:1'), /1: digest: sha256:/);
  assert.equal(await plugin('rm', 'reg:5000/acme/made:1'), 'reg:5000/acme/made:1');
});

test('gantry plugin install of what does not start leaves it to be looked at', async () => {
  const { code, stderr } = await run(['install', '--grant-all-permissions', '--alias', 'bad', broken]);
  assert.equal(code, 1);
  assert.match(stderr, /did not start: it ended with exit code 7.*\nhint: it is installed .*gantry plugin logs bad/);
  assert.equal((await inspect('bad')).state, 'backoff');
  await plugin('rm', '-f', 'bad');
});

test('gantry plugin doctor passes a sound folder', async () => {
  const { code, stdout } = await run(['doctor', pluginFolder('sound', manifest())]);
  assert.deepEqual(
    [code, stdout.replace(/\d+B/, 'N')],
    [0, 'ok    manifest: acme.mine 1.0.0 provides volume/mine\nok    entry: main.js is there\nok    size: 2 files, N\n'],
  );
});

const sick: readonly (readonly [what: string, document: object | string, source: string | undefined, code: number, says: RegExp])[] = [
  ['no JSON', '{', undefined, 1, /fail {2}manifest: .*gantry-plugin\.json is not JSON/],
  ['a wrong field', manifest({ version: 'new' }), undefined, 1, /manifest\.version must be a version like 1\.2\.3\n {6}fix: /],
  ['an unknown field', manifest({ privilege: {} }), undefined, 1, /manifest\.privilege must be left out: no such field/],
  ['no entry', manifest({ entry: { node: 'dist/main.js' } }), undefined, 1, /fail {2}entry: ENOENT.*\n {6}fix: build it first/],
  ['an entry outside', manifest({ entry: { node: '../sound/main.js' } }), undefined, 1, /leads out of the folder/],
  ['an entry that cannot be executed', manifest({ entry: { exec: ['main.js'] } }), undefined, 1, /chmod \+x main\.js/],
  ['both entries', manifest({ entry: { node: 'main.js', exec: ['x'] } }), undefined, 1, /names both node and exec/],
  [
    'network',
    manifest(),
    "import net from 'node:net'; 'mine'",
    0,
    /main\.js: uses net, but .*\n {6}fix: add "privileges": \{ "network": "host" \}/,
  ],
  ['a device', manifest(), "open('/dev/fuse'); 'mine'", 0, /names \/dev\/fuse, which is not granted/],
  ['a host path', manifest(), "open('/etc/acme/x'); 'mine'", 0, /names \/etc\/acme\/x, which it will not see/],
  ['a mount type', manifest(), 'mount.nfs4(); "mine"', 0, /a mount of type nfs4/],
  ['a lookup', manifest(), "host.lookup('container', id); 'mine'", 0, /add "privileges": \{ "host": \["lookup:container"\] \}/],
  [
    'a secret inside a setting',
    manifest({ settings: { type: 'object', properties: { login: { type: 'object', properties: { word: { 'x-secret': true } } } } } }),
    undefined,
    0,
    /settings\.properties\.login\.properties\.word has x-secret, which only whole settings can be/,
  ],
  ['another driver name', manifest(), "'yours'", 0, /promises the driver mine, which no source names/],
];
for (const [what, document, source, code, says] of sick) {
  test(`gantry plugin doctor finds ${what}`, async () => {
    const result = await run(['doctor', pluginFolder('sick', document, source)]);
    assert.match(result.stdout, says);
    assert.equal(result.code, code);
  });
}

test('gantry plugin doctor is content with what is declared, and with what only comments say', async () => {
  const privileges = {
    network: 'host',
    devices: ['/dev/fuse'],
    hostPaths: ['/etc/acme'],
    mountTypes: ['nfs4'],
    host: ['lookup:container.labels'],
  };
  const source = `import net from 'node:net'; // '/dev/kvm'\n/* '/etc/shadow' */ open('/dev/fuse', '/etc/acme/x'); mount.nfs4(); host.lookup('container'); 'mine';`;
  const { stdout } = await run(['doctor', pluginFolder('declared', manifest({ privileges }), source)]);
  assert.doesNotMatch(stdout, /warn|fail/);
});

test('gantry plugin dev makes each change a new generation, tells what is wrong, and keeps the old one', async () => {
  const path = pluginFolder('dev', manifest({ name: 'acme.dev', version: '1.0.0' }));
  await using terminal = new Pty([process.execPath, program, 'plugin', 'dev', '--rm', path], {
    env: environment(),
    columns: 200,
  });
  await terminal.expect(/acme\.dev 1\.0\.0, generation 1: ready[^]*watching/);
  engine.plugins.say('acme.dev', 'hello from it');
  await terminal.expect(/acme\.dev \| hello from it/);
  pluginFolder('dev', manifest({ name: 'acme.dev', version: '1.0.1' }));
  await terminal.expect(/acme\.dev 1\.0\.1, generation 2: ready/);
  pluginFolder('dev', manifest({ name: 'acme.dev', version: 'one' }));
  await terminal.expect(/gantry-plugin\.json: manifest\.version must be[^]*generation 2 goes on/);
  pluginFolder('dev', manifest({ name: 'acme.dev', version: '1.0.2-broken' }));
  await terminal.expect(/1\.0\.2-broken did not start[^]*generation 2 goes on/);
  pluginFolder('dev', manifest({ name: 'acme.dev', version: '1.0.3', privileges: { network: 'host' } }));
  await terminal.expect(/it now asks for network \[host\][^]*acme\.dev 1\.0\.3, generation 3: ready/);
  assert.equal(engine.plugins.inspect('acme.dev').version, '1.0.3');
  terminal.type('\u0003');
  assert.equal(await terminal.exit, 0);
  assert.equal(
    engine.plugins.list().some(({ name }) => name === 'acme.dev'),
    false,
  );
});

test('gantry plugin dev does not take over a plugin that came from elsewhere', async () => {
  const path = pluginFolder('other', manifest({ name: 'nfs' }));
  const { code, stderr } = await run(['dev', path]);
  assert.deepEqual(
    [code, /plugin nfs is installed from oci:.*\nhint: give this one another name: --alias nfs-dev/.test(stderr)],
    [1, true],
    stderr,
  );
});

test('gantry plugin names what is installed when a name is unknown', async () => {
  for (const words of [
    'inspect nope',
    'enable nope',
    'disable nope',
    'set nope A=1',
    'upgrade nope',
    'rollback nope',
    'rm nope',
    'logs nope',
    'push nope',
    'bind volume/nfs nope',
  ]) {
    const { code, stderr } = await run(words.split(' '));
    assert.deepEqual([code, stderr], [1, 'gantry: plugin "nope" not found\nhint: installed are gantry.memory, nfs\n'], words);
  }
});

const refusals: readonly (readonly [words: readonly string[], code: number, says: RegExp])[] = [
  [['install'], 1, /missing argument: SOURCE/],
  [['install', ''], 125, /the source is empty/],
  [['install', nfs, 'SERVER'], 1, /"SERVER" has no value\nhint: write key=value/],
  [['install', nfs, '=x'], 1, /has no key/],
  [['install', '--placement', 'moon', nfs], 125, /--placement: "moon" is not one of/],
  [['install', './nowhere'], 1, /ENOENT|no such file/],
  [['install', 'reg:5000/acme/nope'], 1, /manifest for reg:5000\/acme\/nope not found/],
  [['install', '--grant-all-permissions', '--alias', 'nfs', nfs], 1, /plugin "nfs" already exists/],
  [['enable'], 1, /missing argument: PLUGIN/],
  [['enable', ''], 1, /may not be empty/],
  [['enable', '--timeout', '-1', 'nfs'], 125, /--timeout: "-1" is less than 0/],
  [['enable', 'nfs'], 1, /plugin nfs is enabled/],
  [['disable', 'gantry.memory'], 1, /part of the engine/],
  [['set', 'nfs'], 125, /nothing to set\nhint: write KEY=value/],
  [['set', 'nfs', 'A'], 1, /"A" has no value/],
  [['set', 'nfs', 'NOPE=1'], 1, /settings\.NOPE: no such setting/],
  [['set', 'nfs', '--reset', 'A=1'], 125, /is not the name of a setting/],
  [['upgrade', 'nfs', ''], 125, /the source is empty/],
  [['upgrade', 'gantry.memory'], 1, /part of the engine\nhint: it is upgraded with the engine/],
  [['rollback', 'gantry.memory'], 1, /never upgraded/],
  [['ls', '-f', 'x'], 125, /is not a filter/],
  [['ls', '-f', 'x=1'], 1, /invalid filter 'x'/],
  [['ls', '--format', '{{.Name}}'], 125, /Go templates are not supported/],
  [['logs', '-n', 'x', 'nfs'], 125, /--tail: "x" is not a whole number/],
  [['call', 'nfs', 'list'], 125, /"nfs" is not a driver\nhint: write KIND\/DRIVER/],
  [['call', 'volume/', 'list'], 125, /is not a driver/],
  [['call', 'moon/nfs', 'list'], 1, /kind must be one of/],
  [['call', 'volume/nope', 'list'], 1, /no plugin provides volume\/nope/],
  [['call', 'volume/nfs', 'list', '{'], 125, /the request is not JSON/],
  [['call', 'volume/nfs', 'create', '--dry-run'], 1, /changes something/],
  [['bind', 'nfs', 'nfs'], 125, /is not a driver/],
  [['bind', 'log/nfs', 'nfs'], 1, /plugin nfs has no log driver nfs/],
  [['attach', '/run/x.sock'], 125, /is not the address of a socket/],
  [['attach', 'unix:///x', '--token-file', '/nowhere'], 1, /cannot read the secret/],
  [['set', 'nfs', '--secret', 'TOKEN'], 125, /has no value/],
  [['set', 'nfs', '--secret', 'TOKEN='], 125, /names no file/],
  [['set', 'nfs', '--secret', 'TOKEN=/dev/null'], 125, /every user of this machine can read/],
  [['attach', 'unix:///x', '--manifest', '/nowhere'], 1, /cannot read the manifest/],
  [['create', 'x'], 1, /missing argument: FOLDER/],
  [['create', 'x', '/nowhere'], 1, /cannot read the folder/],
  [['create', 'x', '/proc/self/task'], 1, /neither gantry-plugin\.json nor config\.json/],
  [['create', 'X Y', join(import.meta.dirname, '../../plugins/log/none')], 1, /invalid reference format/],
  [['doctor', '/nowhere'], 1, /cannot look into the folder/],
  [['doctor', '/etc/hostname'], 1, /is not a folder/],
  [['pack', '/nowhere'], 1, /cannot read the manifest/],
  [['pack', '--npm', '--oci', '.'], 125, /--npm and --oci exclude each other/],
  [['pack', '--base', '/', join(examples, 'folders')], 125, /--base is for a folder of code that is packed with --docker/],
  [['pack', '--docker', '--base', '/nowhere', '-o', join(folder, 'x.tar'), join(examples, 'folders')], 1, /base \/nowhere is not there/],
  [['pack', '--docker', '-o', join(folder, 'x.tar'), join(examples, 'overlay-mini')], 1, /has a graph driver.*\nhint: it has volume/],
  [['dev', '/nowhere'], 1, /cannot read the manifest/],
  [['fly'], 1, /unknown command: plugin fly/],
];
for (const [words, code, says] of refusals) {
  test(`gantry plugin ${words.join(' ')} is refused`, async () => {
    const result = await run(words);
    assert.match(result.stderr, says);
    assert.equal(result.code, code, result.stderr);
  });
}

test('gantry plugin pack --docker needs no engine', async () => {
  const file = join(folder, 'folders.tar');
  const child = spawn(process.execPath, [
    program,
    '-H',
    'unix:///nowhere',
    'plugin',
    'pack',
    join(examples, 'folders'),
    '--docker',
    '-o',
    file,
  ]);
  assert.deepEqual(await once(child, 'close'), [0, null]);
  const names = execFileSync('tar', ['tf', file], { encoding: 'utf8' }).split('\n');
  assert.deepEqual(
    ['./config.json', './rootfs/plugin/main.ts', './rootfs/usr/bin/node'].filter((name) => !names.includes(name)),
    [],
  );
});

test('gantry plugin says so when the engine is not Gantry', async () => {
  const { createServer } = await import('node:http');
  const socketPath = join(folder, 'other.sock');
  const server = createServer((_request, response) => void response.writeHead(404).end('{"message":"page not found"}')).listen(socketPath);
  await once(server, 'listening');
  const child = spawn(process.execPath, [program, '-H', `unix://${socketPath}`, 'plugin', 'ls']);
  const chunks = await Array.fromAsync(child.stderr as AsyncIterable<Buffer>);
  server.close();
  assert.match(Buffer.concat(chunks).toString(), /does not have Gantry's plugins\nhint: it is not Gantry/);
});

test('gantry plugin VERB --help teaches with an example', async () => {
  const listed = (await run(['--help'])).stdout;
  const verbs = [...listed.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, verb = '']) => verb);
  assert.equal(verbs.length, 20, listed);
  for (const verb of verbs) assert.match((await run([verb, '--help'])).stdout, new RegExp(`^  gantry plugin ${verb}`, 'm'));
});
