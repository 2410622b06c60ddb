import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Daemon } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const program = join(import.meta.dirname, '../../core/bin/gantryd.mjs');
const folder = mkdtempSync(join(tmpdir(), 'gantryd-'));

test('gantryd writes its pid file, serves, and ends with 0 on SIGTERM, leaving neither file nor socket', async () => {
  const pidfile = join(folder, 'gantryd.pid');
  const daemon = await Daemon.start({ folder: join(folder, 'a'), flags: ['--pidfile', pidfile] });
  assert.equal(readFileSync(pidfile, 'utf8').trim(), String(daemon.pid));
  assert.deepEqual(await daemon.kill('SIGTERM'), { code: 0, signal: null });
  assert.deepEqual([existsSync(pidfile), existsSync(daemon.places.socketPath)], [false, false]);
});

test('gantryd refuses a data root that another one has, and a pid file of a running one', async () => {
  const pidfile = join(folder, 'other.pid');
  await using daemon = await Daemon.start({ folder: join(folder, 'b'), flags: ['--pidfile', pidfile] });
  const { dataRoot } = daemon.places;
  const second = gantryd('--data-root', dataRoot, '--exec-root', join(folder, 'exec'), '--host', `unix://${join(folder, 's')}`);
  assert.deepEqual([second.status, second.stderr.includes(String(daemon.pid))], [75, true], second.stderr);
  assert.match(second.stderr, /^gantryd: .+/m);
  const third = gantryd('--pidfile', pidfile, '--data-root', join(folder, 'c'));
  assert.deepEqual(
    [third.status, third.stderr],
    [75, `gantryd: process ${daemon.pid} is running already: ${pidfile} says so\nhint: stop it, or choose another --pidfile\n`],
  );
  assert.equal(existsSync(join(folder, 'c')), false);
});

test('gantryd with --idle-exit ends by itself, with 0', async () => {
  const roots = ['--data-root', join(folder, 'd', 'data'), '--exec-root', join(folder, 'd', 'exec')];
  assert.deepEqual(gantryd(...roots, '--config-file', '/dev/null', '--idle-exit', '1').status, 0);
});

test('gantryd starts by daemon.json alone', () => {
  const file = join(folder, 'daemon.json');
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, JSON.stringify({ 'log-driver': 'json-file', features: { buildkit: true } }));
  assert.deepEqual(outcome('--config-file', file, '--validate'), [0, 'configuration OK\n', '']);
  writeFileSync(file, '{"colour":"red"}');
  assert.deepEqual(outcome('--config-file', file), [
    1,
    '',
    `gantryd: ${file}: the following directives don't match any configuration option: colour\n`,
  ]);
});

function outcome(...flags: readonly string[]): readonly [number | null, string, string] {
  const { status, stdout, stderr } = gantryd(...flags);
  return [status, stdout, stderr];
}

function gantryd(...flags: readonly string[]): ReturnType<typeof spawnSync> & { readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, [program, ...flags], { encoding: 'utf8', timeout: 10_000 });
}
