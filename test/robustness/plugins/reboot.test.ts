import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { PluginInfo } from '@gantry/sdk/engine';
import { busyboxImage } from '../../support/images/busybox.ts';
import { Daemon } from '../../support/engine/daemon.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { killOthers } from '../reboot.ts';
import { containerState, createContainer, expect, until as eventually } from '../requests.ts';
import { FaultFolder, pluginFolder, until } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

test('after a reboot with its back end down a plugin is enabled and degraded, and containers that need it are tried until they run', {
  timeout: 90_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'engine-'));
  const source = pluginFolder(folder, 'server');
  const start = () => Daemon.start({ folder, flags: ['--plugin-dir', dirname(source)] });
  let engine = await start();
  t.after(() => engine.kill('SIGKILL'));
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  await expect(engine.api, 'POST', '/volumes/create', { statuses: [201], json: { Name: 'data', Driver: 'server' } });
  const restarted = (Name: string) => ({ Binds: ['data:/data'], RestartPolicy: { Name } });
  for (const policy of ['always', 'unless-stopped', 'no']) {
    await createContainer(engine.api, `runs-${policy}`, { command: ['sleep', '1000'], hostConfig: restarted(policy) });
    await expect(engine.api, 'POST', `/containers/runs-${policy}/start`, { statuses: [204] });
  }
  await createContainer(engine.api, 'stopped', { command: ['sleep', '1000'], hostConfig: restarted('always') });
  await expect(engine.api, 'POST', '/containers/stopped/start', { statuses: [204] });
  await expect(engine.api, 'POST', '/containers/stopped/stop?t=0', { statuses: [204] });

  await engine.kill('SIGKILL');
  await killOthers();
  const faults = new FaultFolder(join(folder, 'data/plugins/server'));
  faults.misbehave({ attach: { does: 'down' }, 'self-test': { does: 'down' } });
  engine = await start();
  const states = async (): Promise<readonly string[]> =>
    Promise.all(
      ['runs-always', 'runs-unless-stopped', 'stopped', 'runs-no'].map(async (name) => (await containerState(engine.api, name)).Status),
    );
  await eventually(async () => (await states()).join() === 'restarting,restarting,restarting,exited');
  const info = await engine.api.json<PluginInfo>('GET', '/gantry/v1/plugins/server/json');
  assert.deepEqual([info.state, info.enabled], ['degraded', true]);
  assert.match(info.error ?? '', /the file server does not answer/);
  await eventually(async () => /the file server does not answer/.test((await containerState(engine.api, 'runs-always')).Error));

  faults.misbehave({});
  await until(
    async () => (await states()).join() === 'running,running,running,exited',
    30_000,
    () => engine.log.slice(-4_000),
  );
  await eventually(async () => (await engine.api.json<PluginInfo>('GET', '/gantry/v1/plugins/server/json')).state !== 'quarantined');
  for (const name of ['runs-always', 'runs-unless-stopped', 'stopped', 'runs-no'])
    await expect(engine.api, 'DELETE', `/containers/${name}?force=1`, { statuses: [204] });
  await expect(engine.api, 'DELETE', '/volumes/data', { statuses: [204] });
});
