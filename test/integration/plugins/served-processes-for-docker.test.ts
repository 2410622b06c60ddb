import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMountinfo } from '@gantry/sdk/linux';
import { type Answer, ask, call, kill, startServed } from '../../support/clients/docker-protocol.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { isRunning, pidsOf } from '../../support/machine/pids.ts';
import { everyKind, serveForDocker } from '../../support/plugins/served-for-docker.ts';
import { missingForSquashfuse, squashfsImage } from '../../support/disks/squashfs.ts';

inNamespaces(import.meta.url);
leakGuard();

const folder = mkdtempSync(join(tmpdir(), 'served-'));
test.after(() => rmSync(folder, { recursive: true }));
let made = 0;
const places = () => {
  const root = join(folder, `${(made += 1)}`);
  return { root, socketPath: join(folder, `${made}.sock`) };
};

const squashfs = join(import.meta.dirname, '../../examples/squashfs');
const noFuse = missingForSquashfuse() ?? false;

test('a FUSE volume is served by its helper, without rights and sight of the plugin; one that dies is mounted anew', {
  skip: noFuse,
}, async () => {
  const at = { ...places(), dir: squashfs };
  const image = join(folder, 'image');
  squashfsImage(image, { file: 'inside' });
  await using _serving = await serveForDocker(at);
  await call(at.socketPath, 'VolumeDriver.Create', { Name: 'v', Opts: { image } });
  const place = String((await call(at.socketPath, 'VolumeDriver.Mount', { Name: 'v', ID: 'a' }))['Mountpoint']);
  assert.equal(readFileSync(join(place, 'file'), 'utf8'), 'inside');
  const pid = pidOf('squashfuse -f');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  for (const line of [/^CapEff:\t0+$/m, /^CapBnd:\t0+$/m, /^NoNewPrivs:\t1$/m]) assert.match(status, line);
  const sees = readMountinfo(pid).map(({ mountPoint }) => mountPoint);
  assert.deepEqual([sees.includes('/run/gantry/paths/image'), sees.some((each) => each.startsWith(at.root))], [true, false]);
  process.kill(pid, 'SIGKILL');
  await until(() => !isRunning(pid));
  assert.throws(() => readdirSync(place), { code: 'ENOTCONN' });
  await until(async () => {
    await call(at.socketPath, 'VolumeDriver.Mount', { Name: 'v', ID: 'a' });
    return existsSync(join(place, 'file'));
  });
  const second = pidOf('squashfuse -f');
  await call(at.socketPath, 'VolumeDriver.Unmount', { Name: 'v', ID: 'a' });
  await until(() => !isRunning(second));
  assert.deepEqual(readdirSync(join(at.root, 'volumes')), []);
  await call(at.socketPath, 'VolumeDriver.Remove', { Name: 'v' });
});

test('the next process of a plugin keeps a FUSE volume whose helper lives, and mounts anew where it died with the last', {
  skip: noFuse,
}, async () => {
  const at = { ...places(), dir: squashfs };
  const image = join(folder, 'image-of-two');
  squashfsImage(image, { file: 'inside' });
  const first = await startServed(at);
  await call(at.socketPath, 'VolumeDriver.Create', { Name: 'v', Opts: { image } });
  const place = String((await call(at.socketPath, 'VolumeDriver.Mount', { Name: 'v', ID: 'a' }))['Mountpoint']);
  const helper = pidOf('squashfuse -f');
  await kill(first, 'SIGKILL');
  const second = await startServed(at);
  assert.deepEqual([readFileSync(join(place, 'file'), 'utf8'), pidOf('squashfuse -f')], ['inside', helper]);
  await kill(second, 'SIGKILL');
  process.kill(helper, 'SIGKILL');
  await until(() => !isRunning(helper));
  const third = await startServed(at);
  assert.equal(readFileSync(join(place, 'file'), 'utf8'), 'inside');
  await call(at.socketPath, 'VolumeDriver.Unmount', { Name: 'v', ID: 'a' });
  assert.deepEqual(readdirSync(join(at.root, 'volumes')), []);
  await call(at.socketPath, 'VolumeDriver.Remove', { Name: 'v' });
  await kill(third, 'SIGTERM');
});

/** The drivers of each kind, as a program that speaks gRPC. */
function asProgram(): string {
  const dir = join(folder, 'program');
  mkdirSync(dir, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(everyKind, 'gantry-plugin.json'), 'utf8')) as object;
  const serving = join(import.meta.dirname, '../../../sdk/serve/process.ts');
  const entry = { exec: [process.execPath, '--disable-warning=ExperimentalWarning', serving, everyKind] };
  writeFileSync(join(dir, 'gantry-plugin.json'), JSON.stringify({ ...manifest, entry }));
  return dir;
}

test("a program that speaks gRPC is served by Docker's protocol, with its settings; when it dies it is started again, and its mounts stay", async () => {
  const at = { ...places(), dir: asProgram() };
  const serving = await serveForDocker({ ...at, settings: { size: '3m' } });
  await call(at.socketPath, 'VolumeDriver.Create', { Name: 'v', Opts: { kind: 'memory' } });
  const place = String((await call(at.socketPath, 'VolumeDriver.Mount', { Name: 'v', ID: 'a' }))['Mountpoint']);
  assert.match(execFileSync('findmnt', ['-no', 'OPTIONS', place], { encoding: 'utf8' }), /size=3072k/);
  writeFileSync(join(place, 'x'), 'kept');
  const pid = pidOf('sdk/serve/process.ts');
  process.kill(pid, 'SIGKILL');
  const { Volume: shown } = await call(at.socketPath, 'VolumeDriver.Get', { Name: 'v' });
  assert.deepEqual((shown as Answer)['Status'], { kind: 'memory', size: '3m' });
  assert.notEqual(pidOf('sdk/serve/process.ts'), pid);
  assert.equal(readFileSync(join(place, 'x'), 'utf8'), 'kept');
  const refused = await ask(at.socketPath, 'VolumeDriver.Create', { Name: 'w', Opts: { kind: 'nope' } });
  assert.match(String(refused.answer['Err']), /must be one of/);
  const { Pool } = await call(at.socketPath, 'IpamDriver.RequestPool', { AddressSpace: 'LocalDefault' });
  assert.equal(Pool, '10.201.0.0/24');
  await call(at.socketPath, 'VolumeDriver.Unmount', { Name: 'v', ID: 'a' });
  await call(at.socketPath, 'VolumeDriver.Remove', { Name: 'v' });
  await serving[Symbol.asyncDispose]();
  assert.deepEqual(pidsOf('sdk/serve/process.ts'), []);
});

function pidOf(words: string): number {
  const [pid, ...others] = pidsOf(words);
  assert.ok(pid !== undefined && others.length === 0, `${words}: ${[pid, ...others].join(' ')}`);
  return pid;
}
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let waits = 0; !(await isSo()); waits += 1) {
    if (waits > 300) assert.fail(`still not: ${isSo.toString()}`);
    await sleep(20);
  }
}
