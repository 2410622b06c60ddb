import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { spawnSync } from 'node:child_process';
import { createEngine } from '../../../core/index.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

/** The worst that an engine can be started with. */
process.umask(0);

let subject: EngineUnderTest;
let container: Awaited<ReturnType<EngineUnderTest['sleeping']>>;
const socket = () => join(subject.folder, 'exec', 'engine.sock');
const serving = new AsyncDisposableStack();
before(async () => {
  subject = await EngineUnderTest.open();
  // Whoever may enter the folder above must still be stopped at the two roots.
  chmodSync(subject.folder, 0o755);
  container = await subject.sleeping({
    name: 'kept',
    config: { Image: 'busybox', OpenStdin: true, Healthcheck: { Test: ['CMD', 'true'], Interval: 20e6 } },
    hostConfig: { NetworkMode: 'bridge', Binds: ['kept:/data'] },
  });
  serving.use(await subject.engine.serve({ hosts: [`unix://${socket()}`] }));
  await subject.exec(container.id, ['sh', '-c', 'cp /bin/busybox /data/setuid; chmod 6755 /data/setuid']);
});
after(async () => {
  await serving[Symbol.asyncDispose]();
  await container[Symbol.asyncDispose]();
  await subject.engine.volumes.remove('kept', { force: true });
  await subject[Symbol.asyncDispose]();
});

/** As another user: every path that he can look at, list, read, write or connect to, of those given on standard input. */
const prober = `
const fs = require('node:fs'); const net = require('node:net');
const paths = fs.readFileSync(0, 'utf8').split('\\n').filter(Boolean);
process.setgroups([]); process.setgid(65534); process.setuid(65534);
const tries = { stat: (path) => fs.lstatSync(path), list: (path) => fs.readdirSync(path), read: (path) => fs.closeSync(fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)), write: (path) => fs.closeSync(fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK)) };
for (const path of paths) for (const [what, attempt] of Object.entries(tries)) { try { attempt(path); console.log(what + ' ' + path); } catch {} }
const sockets = paths.filter((path) => path.endsWith('.sock') || path.endsWith('/attach'));
for (const path of sockets) net.connect(path).on('connect', () => { console.log('connect ' + path); process.exit(); }).on('error', () => {});
`;

function reachable(paths: readonly string[]): readonly string[] {
  const { stdout, stderr } = spawnSync(process.execPath, ['--eval', prober], { input: paths.join('\n'), encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.trim().split('\n').filter(Boolean);
}

/** Symlinks are not followed. */
function below(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return lstatSync(path).isDirectory() ? [path, ...below(path)] : [path];
  });
}

test('SEC-60 another user can look at, read, write or connect to nothing below the data root', () => {
  const paths = below(join(subject.folder, 'data'));
  assert.ok(paths.length > 300 && paths.some((path) => path.endsWith('/setuid')), `${paths.length} paths`);
  assert.deepEqual(reachable(paths), []);
});

test('SEC-60 another user can list, read, write or connect to nothing below the exec root, sockets included, and sees only its first level', () => {
  const paths = below(join(subject.folder, 'exec'));
  assert.ok(paths.includes(socket()));
  const first = readdirSync(join(subject.folder, 'exec')).map((name) => `stat ${join(subject.folder, 'exec', name)}`);
  assert.deepEqual(reachable(paths).toSorted(), first.toSorted());
});

test('SEC-60 the prober finds what is open', () => {
  const open = mkdtempSync(join(tmpdir(), 'open-'));
  chmodSync(open, 0o755);
  assert.deepEqual(reachable([open]), [`stat ${open}`, `list ${open}`, `read ${open}`]);
  rmSync(open, { recursive: true });
});

test('SEC-60 whatever lies in the exec root is closed by itself, so that the root may be opened for a group', () => {
  const execRoot = join(subject.folder, 'exec');
  chmodSync(execRoot, 0o755);
  const open = reachable(below(execRoot)).filter((line) => !line.startsWith('stat '));
  chmodSync(execRoot, 0o700);
  assert.deepEqual(open, []);
});

test('SEC-60 the socket is for its owner and group', () => {
  assert.equal(lstatSync(socket()).mode & 0o777, 0o660);
});

test('SEC-60 createEngine() makes an exec root that a group can pass to reach the socket, whatever the umask', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'umask-'));
  const umask = process.umask(0o077);
  await using _engine = await createEngine({ dataRoot: join(folder, 'data'), execRoot: join(folder, 'exec') });
  process.umask(umask);
  assert.deepEqual(
    ['data', 'exec'].map((name) => (lstatSync(join(folder, name)).mode & 0o777).toString(8)),
    ['700', '711'],
  );
});

for (const root of ['dataRoot', 'execRoot'] as const) {
  test(`SEC-60 createEngine() refuses a ${root} that others can write to`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'loose-'));
    const roots = { dataRoot: join(folder, 'data'), execRoot: join(folder, 'exec') };
    mkdirSync(roots[root]);
    for (const mode of [0o777, 0o775, 0o1777]) {
      chmodSync(roots[root], mode);
      await assert.rejects(createEngine(roots), { code: 'forbidden' });
    }
    rmSync(folder, { recursive: true });
  });
}

test('SEC-61 no unix socket of the engine has an abstract name', () => {
  const names = readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .flatMap((line) => line.trim().split(/\s+/)[7] ?? []);
  assert.ok(names.includes(socket()), names.join(' '));
  assert.deepEqual(
    names.filter((name) => name.startsWith('@')),
    [],
  );
});
