import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PluginInfo } from '@gantry/sdk/engine';
import { busyboxImage } from '../../support/images/busybox.ts';
import { Daemon } from '../../support/engine/daemon.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { containerState, createContainer, expect, until } from '../requests.ts';
import { FaultFolder, pluginFolder } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

test('a plugin in a worker that crashes natively takes the engine along, is blamed by the next one, and after the second time runs apart', {
  timeout: 110_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'engine-'));
  const source = pluginFolder(folder, 'crashes', { manifest: { placement: ['worker', 'process'] } });
  let engine = await Daemon.start({ folder });
  t.after(() => engine.kill('SIGKILL'));
  const info = () => engine.api.json<PluginInfo>('GET', '/gantry/v1/plugins/crashes/json');
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  await engine.api.stream('POST', '/gantry/v1/plugins/install', { json: { source, grant: 'all', enable: true, placement: 'worker' } });
  await expect(engine.api, 'POST', '/volumes/create', { statuses: [201], json: { Name: 'kept', Driver: 'crashes' } });
  await createContainer(engine.api, 'writer', { command: ['sleep', '1000'], hostConfig: { Binds: ['kept:/v'] } });
  await expect(engine.api, 'POST', '/containers/writer/start', { statuses: [204] });
  const { Pid: pid } = await containerState(engine.api, 'writer');
  const faults = new FaultFolder(join(folder, 'data/plugins', (await info()).id.slice(0, 12)));
  const crash = async (volume: string): Promise<void> => {
    faults.misbehave({ create: { does: 'segv' } });
    await engine.api.call('POST', '/volumes/create', { json: { Name: volume, Driver: 'crashes' } }).catch(() => {});
  };

  for (const time of [1, 2]) {
    await crash(`lost-${time}`);
    assert.equal((await engine.ended).signal, 'SIGSEGV');
    faults.misbehave({});
    engine = await Daemon.start({ folder });
    const { placement, placementReason = '', output } = await info();
    assert.match(output.join('\n'), /crash report: the engine ended without a word in volume driver crashes: create/);
    assert.equal(placement, time === 1 ? 'worker' : 'process');
    if (time === 2) assert.match(placementReason, /in volume driver crashes: create, 2 times: it runs in a process of its own now/);
    assert.equal((await containerState(engine.api, 'writer')).Pid, pid);
  }

  await crash('lost-3');
  await until(async () => (await info()).state === 'backoff' || ((await info()).generation ?? 0) > 1);
  faults.misbehave({});
  await soonIs(
    async () => (await info()).state === 'ready',
    20_000,
    async () => JSON.stringify(await info()),
  );
  await expect(engine.api, 'POST', '/volumes/create', { statuses: [201], json: { Name: 'made', Driver: 'crashes' } });
  assert.equal((await containerState(engine.api, 'writer')).Pid, pid);
  await expect(engine.api, 'DELETE', '/containers/writer?force=1', { statuses: [204] });
});

async function soonIs(claim: () => Promise<boolean>, ms: number, why: () => Promise<string>): Promise<void> {
  for (const deadline = performance.now() + ms; !(await claim()); await sleep(50))
    if (performance.now() > deadline) assert.fail(await why());
}

test('an engine that ends well, or is killed while no plugin of its process is at work, blames nobody', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'engine-'));
  const source = pluginFolder(folder, 'innocent', { manifest: { placement: ['worker', 'process'] } });
  let engine = await Daemon.start({ folder });
  t.after(() => engine.kill('SIGKILL'));
  await engine.api.stream('POST', '/gantry/v1/plugins/install', { json: { source, grant: 'all', enable: true, placement: 'worker' } });
  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGKILL', 'SIGKILL'] as const) {
    await expect(engine.api, 'POST', '/volumes/create', { statuses: [201], json: { Name: 'made', Driver: 'innocent' } });
    await engine.kill(signal);
    engine = await Daemon.start({ folder });
    const { placement, output } = await engine.api.json<PluginInfo>('GET', '/gantry/v1/plugins/innocent/json');
    assert.deepEqual([placement, output.filter((line) => line.includes('crash report'))], ['worker', []]);
  }
});
