import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { census, describe, difference } from '../support/machine/census.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { containerState, countProcesses, createContainer, expect, removeContainer } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'engine-'));
const command = ['sleep', '7010'];
const gracefulMs = 15_000;
let engine: Daemon;

before(async () => {
  engine = await Daemon.start({ folder });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  await createContainer(engine.api, 'runs', { command, hostConfig: { NetworkMode: 'bridge' } });
});

after(() => engine.kill());

test('gantryd ends within 15 s of SIGTERM although clients follow, and leaves containers running and nothing half-made', async () => {
  await expect(engine.api, 'POST', '/containers/runs/start', { statuses: [204] });
  const { Pid } = await containerState(engine.api, 'runs');
  const followers = ['/events', '/containers/runs/logs?follow=1&stdout=1', '/containers/runs/stats'];
  for (const path of followers) (await engine.api.open('GET', path)).on('error', () => undefined).resume();
  const waiting = await engine.api.open('POST', '/containers/runs/wait');
  waiting.on('error', () => undefined).resume();
  const began = performance.now();
  const { code } = await engine.kill('SIGTERM');
  assert.deepEqual([code, performance.now() - began < gracefulMs], [0, true]);
  assert.equal(countProcesses(command), 1);
  assert.equal(readFileSync(join(engine.places.dataRoot, 'engine.lock'), 'utf8').trim(), '');
  engine = await Daemon.start({ folder });
  assert.equal((await containerState(engine.api, 'runs')).Pid, Pid);
  await expect(engine.api, 'POST', '/containers/runs/stop?t=0', { statuses: [204] });
});

test('gantryd leaves on SIGTERM what was there before it was started', async () => {
  await engine.kill('SIGTERM');
  const baseline = leftovers();
  engine = await Daemon.start({ folder });
  await engine.api.json('GET', '/containers/json?all=1');
  await expect(engine.api, 'POST', '/containers/runs/start', { statuses: [204] });
  await expect(engine.api, 'POST', '/containers/runs/stop?t=0', { statuses: [204] });
  await engine.kill('SIGTERM');
  assert.equal(describe(difference(baseline, leftovers())), '');
  engine = await Daemon.start({ folder });
});

test('a load that is under way when SIGTERM comes leaves nothing', async () => {
  await engine.kill('SIGTERM');
  const baseline = leftovers();
  engine = await Daemon.start({ folder });
  const { archive } = busyboxImage({ reference: 'other:1' });
  const sent = Promise.withResolvers<void>();
  const endless = async function* () {
    yield archive.subarray(0, archive.length - 100_000);
    sent.resolve();
    await new Promise(() => setTimeout(() => undefined, 60_000).unref());
  };
  const load = engine.api.call('POST', '/images/load', { body: Readable.from(endless()) });
  load.catch(() => undefined);
  await sent.promise;
  const began = performance.now();
  const { code } = await engine.kill('SIGTERM');
  assert.deepEqual([code, performance.now() - began < gracefulMs], [0, true]);
  assert.equal(describe(difference(baseline, leftovers())), '');
  engine = await Daemon.start({ folder });
});

test('a second gantryd on the same data root refuses and names the process of the first', async () => {
  const { status, output } = await secondEngine();
  assert.notEqual(status, 0);
  assert.match(output, new RegExp(`data root .* is in use by process ${engine.pid}`));
  await expect(engine.api, 'GET', '/_ping', { statuses: [200] });
});

test('a second SIGTERM while gantryd ends does no harm', async () => {
  await removeContainer(engine.api, 'runs');
  process.kill(engine.pid, 'SIGTERM');
  assert.deepEqual(await engine.kill('SIGTERM'), { code: 0, signal: null });
  engine = await Daemon.start({ folder });
});

function leftovers() {
  return census({ roots: [folder] }).filter((line) => !/^(descriptor|handle): |-(wal|shm|journal)$/.test(line));
}

async function secondEngine(): Promise<{ readonly status: number; readonly output: string }> {
  const program = join(import.meta.dirname, '../../core/bin/gantryd.mjs');
  const { dataRoot, execRoot } = engine.places;
  const flags = ['--data-root', dataRoot, '--exec-root', `${execRoot}2`, '--host', `unix://${folder}/second.sock`];
  const { promise, resolve } = Promise.withResolvers<{ readonly status: number; readonly output: string }>();
  execFile(process.execPath, [program, ...flags], { timeout: 20_000 }, (error, stdout, stderr) =>
    resolve({ status: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr }),
  );
  return await promise;
}
