import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { busyboxImage } from '../../support/images/busybox.ts';
import { Daemon } from '../../support/engine/daemon.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { containerState, createContainer, expect, linesOf, until } from '../requests.ts';
import { pluginFolder, processesWith } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

test('plugins of an engine that is killed end by themselves, containers go on, and the next engine starts each once', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'engine-'));
  const source = pluginFolder(folder, 'outlived', { manifest: { activation: 'onStart' } });
  const start = () => Daemon.start({ folder, flags: ['--plugin-dir', dirname(source)] });
  let engine = await start();
  t.after(() => engine.kill('SIGKILL'));
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  await expect(engine.api, 'POST', '/volumes/create', { statuses: [201], json: { Name: 'data', Driver: 'outlived' } });
  const command = ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo "line $i"; echo x >> /data/lines; usleep 20000; done'];
  await createContainer(engine.api, 'writer', { command, hostConfig: { Binds: ['data:/data'] } });
  await expect(engine.api, 'POST', '/containers/writer/start', { statuses: [204] });
  const { Pid: pid } = await containerState(engine.api, 'writer');
  for (let kill = 0; kill < 2; kill += 1) {
    const [former] = processesWith(source);
    assert.ok(former !== undefined, 'the plugin runs');
    await engine.kill('SIGKILL');
    if (kill === 0) await until(() => processesWith(source).length === 0);
    engine = await start();
    let most = 0;
    await until(async () => {
      const running = processesWith(source);
      most = Math.max(most, running.filter((each) => each !== former).length);
      return running.length === 1 && running[0] !== former;
    });
    assert.equal(most, 1);
    await expect(engine.api, 'GET', '/volumes/data', { statuses: [200] });
    assert.equal((await containerState(engine.api, 'writer')).Pid, pid);
  }
  const { length } = await linesOf(engine.api, 'writer');
  await until(async () => (await linesOf(engine.api, 'writer')).length > length);
  await expect(engine.api, 'DELETE', '/containers/writer?force=1', { statuses: [204] });
  await expect(engine.api, 'DELETE', '/volumes/data', { statuses: [204] });
  await engine.kill('SIGTERM');
  await until(() => processesWith(source).length === 0);
});
