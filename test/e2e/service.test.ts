import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeFlags } from '../../core/cli/daemon/index.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const timeout = 60_000;
const bin = join(import.meta.dirname, '../../core/bin');
const folder = mkdtempSync(join(tmpdir(), 'service-'));
const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const without = (...programs: readonly string[]) => programs.find((program) => !has(program));

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + timeout / 2; !(await holds()); await sleep(20)) assert.ok(Date.now() < deadline, what);
}

test('SIGHUP takes labels and log level over at once, tells what waits for a new start, and keeps the old settings when the file is bad', {
  timeout,
}, async () => {
  await using daemon = await Daemon.start({ folder: join(folder, 'reload') });
  const file = join(folder, 'reload/daemon.json');
  const api = new DockerApi(daemon.places.socketPath);
  const labels = async () => (await api.json<{ Labels: readonly string[] }>('GET /info')).Labels;
  const reload = async (text: string, says: RegExp): Promise<void> => {
    const before = daemon.log.length;
    writeFileSync(file, text);
    process.kill(daemon.pid, 'SIGHUP');
    await until(`${String(says)} in ${daemon.log.slice(before)}`, () => says.test(daemon.log.slice(before)));
  };
  await reload('{"labels":["rack=7"],"debug":true,"mtu":1400}', /"settings":\["mtu"\].*as they were until the engine is started again/);
  assert.deepEqual(await labels(), ['rack=7']);
  const now = Math.ceil(Date.now() / 1e3);
  const told = await api.request(`GET /events?since=1&until=${now}&filters=${encodeURIComponent('{"type":["daemon"]}')}`);
  const { Action, Actor } = JSON.parse(told.text) as { readonly Action: string; readonly Actor: { readonly Attributes: object } };
  assert.equal(Action, 'reload');
  assert.match(JSON.stringify(Actor.Attributes), /rack=7/);
  await reload('{"labels":', /settings could not be read: the old ones stay/);
  await reload('{"colour":"red"}', /colour.*settings could not be read: the old ones stay/);
  assert.deepEqual(await labels(), ['rack=7']);
  await reload('{}', /"changed":\["debug","logLevel","labels"\]/);
  assert.deepEqual(await labels(), []);
});

test('SIGUSR1 writes what the engine is doing into a file of root’s, without the environment, and the engine goes on', {
  timeout,
}, async () => {
  await using daemon = await Daemon.start({ folder: join(folder, 'dump'), env: { SECRET_OF_MINE: 'hidden-value' } });
  const api = new DockerApi(daemon.places.socketPath);
  process.kill(daemon.pid, 'SIGUSR1');
  const files = () => globSync(join(daemon.places.execRoot, 'dumps/*.json'));
  await until('no dump came', () => files().length === 1 && daemon.log.includes('wrote what the engine is doing'));
  const [path = ''] = files();
  const text = readFileSync(path, 'utf8');
  const { plugins, report } = JSON.parse(text) as {
    readonly plugins: readonly { readonly name: string }[];
    readonly report: { readonly javascriptHeap: object };
  };
  assert.ok(plugins.some(({ name }) => name === 'gantry.frontend.docker') && 'usedMemory' in report.javascriptHeap);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.ok(!text.includes('hidden-value'));
  assert.equal((await api.request('GET /_ping')).text, 'OK');
});

test('--metrics-addr serves Docker’s numbers and those of each plugin to Prometheus, and nothing else', { timeout }, async () => {
  await using daemon = await Daemon.start({ folder: join(folder, 'metrics'), flags: ['--metrics-addr', '127.0.0.1:19323'] });
  const api = new DockerApi(daemon.places.socketPath);
  await api.json('POST /networks/create', { body: { Name: 'counted' } });
  const text = await (await fetch('http://127.0.0.1:19323/metrics')).text();
  for (const line of [
    /^engine_daemon_engine_info\{version="\d+\.\d+\.\d+",.*os_type="linux".*\} 1$/m,
    /^engine_daemon_engine_cpus_cpus \d+$/m,
    /^engine_daemon_engine_memory_bytes \d+$/m,
    /^engine_daemon_container_states_containers\{state="running"\} 0$/m,
    /^engine_daemon_events_total \d+$/m,
    /^engine_daemon_network_actions_seconds_bucket\{action="create",le="\+Inf"\} 1$/m,
    /^engine_daemon_network_actions_seconds_count\{action="create"\} 1$/m,
    /^gantry_plugin_state\{plugin="gantry\.frontend\.metrics",version="[^"]+",placement="in-process",state="ready"\} 1$/m,
    /^gantry_plugin_restarts\{plugin="gantry\.network\.bridge",.*\} 0$/m,
    /^process_resident_memory_bytes \d+$/m,
  ])
    assert.match(text, line);
  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/containers/json'],
    ['POST', '/metrics'],
  ] as const)
    assert.equal((await fetch(`http://127.0.0.1:19323${path}`, { method })).status, 404);
});

test('a metrics address that is taken, or is none, is told at the start', () => {
  const roots = ['--data-root', join(folder, 'm/data'), '--exec-root', join(folder, 'm/exec'), '--config-file', '/dev/null'];
  const start = (address: string) =>
    spawnSync(process.execPath, [join(bin, 'gantryd.mjs'), ...roots, '--metrics-addr', address], {
      encoding: 'utf8',
      timeout: 30_000,
      killSignal: 'SIGKILL',
    });
  const wrong = start('nowhere');
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /^gantryd: --metrics-addr: "nowhere" is not an address with a port/);
});

test('systemd’s socket is served, readiness and the watchdog are told, and no container’s monitor is told where', {
  timeout,
  skip: without('systemd-socket-activate', 'python3') === undefined ? false : 'needs systemd-socket-activate and python3',
}, async () => {
  const place = join(folder, 'activated');
  mkdirSync(place);
  const [socket, notify, heard] = ['api.sock', 'notify.sock', 'heard'].map((name) => join(place, name)) as [string, string, string];
  const listen = `import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.bind(sys.argv[1])\nwhile True:\n  open(sys.argv[2],'a').write(s.recv(4096).decode()+'\\n')\n`;
  const listener = spawn('python3', ['-c', listen, notify, heard], { stdio: 'inherit' });
  await until('no notify socket', () => existsSync(notify));
  const roots = ['--data-root', join(place, 'data'), '--exec-root', join(place, 'exec'), '--config-file', '/dev/null', '-H', 'fd://'];
  const command = [
    '-l',
    socket,
    '-E',
    `NOTIFY_SOCKET=${notify}`,
    '-E',
    'WATCHDOG_USEC=400000',
    '-E',
    `PATH=${process.env['PATH']}`,
    '-E',
    'HOME=/root',
    '--',
    process.execPath,
    ...nodeFlags,
    join(bin, 'gantryd.mjs'),
    ...roots,
  ];
  const service = spawn('systemd-socket-activate', command, { stdio: 'ignore' });
  try {
    await until('no socket', () => existsSync(socket));
    const api = new DockerApi(socket);
    assert.equal((await api.request('GET /_ping')).text, 'OK');
    const said = () => (existsSync(heard) ? readFileSync(heard, 'utf8') : '');
    await until(`no watchdog: ${said()}`, () => (said().match(/^WATCHDOG=1$/gm) ?? []).length >= 3);
    assert.match(said(), /^READY=1\nSTATUS=answers requests$/m);
    const environment = readFileSync(`/proc/${service.pid}/environ`, 'utf8');
    assert.match(environment, /NOTIFY_SOCKET/, 'it was given to the engine');
    service.kill('SIGHUP');
    await until('no reload', () => /^RELOADING=1\nMONOTONIC_USEC=\d+$/m.test(said()));
    service.kill('SIGTERM');
    await once(service, 'exit');
    await until('no end', () => /^STOPPING=1$/m.test(said()));
    assert.equal(existsSync(socket), true, 'the socket is systemd’s');
  } finally {
    service.kill('SIGKILL');
    listener.kill('SIGKILL');
  }
});

test('gantry system install writes units that systemd takes, uninstall removes them, and nobody else’s', { timeout }, () => {
  const root = join(folder, 'root');
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\ngantry:x:990:\n');
  const gantry = (...words: readonly string[]) =>
    spawnSync(process.execPath, [join(bin, 'gantry.mjs'), ...words], { encoding: 'utf8', timeout: 30_000 });
  const units = join(root, 'etc/systemd/system');
  const installed = gantry('system', 'install', '--root', root);
  assert.deepEqual([installed.status, installed.stdout], [0, `${units}/gantry.socket\n${units}/gantry.service\n`], installed.stderr);
  assert.match(
    readFileSync(join(units, 'gantry.socket'), 'utf8'),
    /^ListenStream=\/run\/gantry\/gantry\.sock\nSocketMode=0660\nSocketUser=root\nSocketGroup=gantry$/m,
  );
  assert.match(readFileSync(join(units, 'gantry.service'), 'utf8'), /^ExecStart=\/.*gantryd\.mjs -H fd:\/\/$/m);
  if (has('systemd-analyze')) {
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', join(units, 'gantry.socket'), join(units, 'gantry.service')], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    assert.doesNotMatch(verified.stderr, /gantry\.(service|socket):\d+:|Unknown|Failed to parse/, verified.stderr);
  }
  assert.equal(gantry('system', 'install', '--root', root).status, 0, 'a second time');
  writeFileSync(join(units, 'gantry.socket'), '[Socket]\n');
  for (const verb of ['install', 'uninstall']) {
    const { status, stderr } = gantry('system', verb, '--root', root);
    assert.deepEqual(
      [status, stderr],
      [1, `gantry: ${units}/gantry.socket is there, and gantry did not write it\nhint: move it away first\n`],
    );
  }
  writeFileSync(
    join(units, 'gantry.socket'),
    '# Written by gantry system install; x\n'.replace('; x', '; gantry system uninstall removes it.'),
  );
  assert.equal(gantry('system', 'uninstall', '--root', root).stdout, `${units}/gantry.service\n${units}/gantry.socket\n`);
  assert.deepEqual([globSync(join(units, '*')), gantry('system', 'uninstall', '--root', root).stdout], [[], '']);
  const here = gantry('system', 'install');
  // /run is the test's own, where systemd never was.
  assert.equal(here.status, 1);
  assert.match(here.stderr, /^gantry: this machine was not started by systemd\nhint: /);
});

test('gantry doctor says what is there, what is missing and how to get it, in lines or as JSON', { timeout }, () => {
  const doctor = (...words: readonly string[]) =>
    spawnSync(process.execPath, [join(bin, 'gantry.mjs'), '-H', 'unix:///nowhere.sock', 'doctor', ...words], {
      encoding: 'utf8',
      timeout: 30_000,
    });
  const { stdout, stderr } = doctor();
  for (const line of [
    /^ok {4}kernel: \d/m,
    /^ok {4}rights: root$/m,
    /^ok {4}conmon: is there$/m,
    /^(ok {2}|warn) {2}cgroups: /m,
    /^warn {2}engine: nobody answers at unix:\/\/\/nowhere\.sock\n {6}fix: /m,
    /^ok {4}settings: /m,
  ])
    assert.match(stdout, line, stderr);
  const all = doctor('--format', 'json')
    .stdout.trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: string; about: string });
  assert.ok(all.every(({ level, about }) => ['ok', 'warn', 'fail'].includes(level) && about !== ''));
});
