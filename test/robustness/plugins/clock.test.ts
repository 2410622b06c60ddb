import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PluginInfo } from '@gantry/sdk/engine';
import { busyboxImage } from '../../support/images/busybox.ts';
import { Daemon } from '../../support/engine/daemon.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { containerState, createContainer, expect, until } from '../requests.ts';
import { FaultFolder, pluginFolder } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const yearMs = 365 * 86_400_000;
const folder = mkdtempSync(join(tmpdir(), 'engine-'));
const clock = join(folder, 'clock');
/** Only the engine under test sees another time of day. */
const setClock = (offsetMs: number): void => writeFileSync(clock, String(offsetMs));

let engine: Daemon;
let faults: FaultFolder;
let writerPid = 0;
const info = () => engine.api.json<PluginInfo>('GET', '/gantry/v1/plugins/timed/json');

before(async () => {
  setClock(0);
  const preload = join(import.meta.dirname, '../../support/machine/fake-clock.mjs');
  const source = pluginFolder(folder, 'timed', { manifest: { timeouts: { 'volume.create': '3s' } } });
  engine = await Daemon.start({ folder, env: { NODE_OPTIONS: `--import ${preload}`, GANTRY_TEST_CLOCK: clock } });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  await engine.api.stream('POST', '/gantry/v1/plugins/install', { json: { source, grant: 'all', enable: true } });
  faults = new FaultFolder(join(folder, 'data/plugins', (await info()).id.slice(0, 12)));
  await expect(engine.api, 'POST', '/volumes/create', { statuses: [201], json: { Name: 'kept', Driver: 'timed' } });
  await createContainer(engine.api, 'writer', { command: ['sleep', '1000'], hostConfig: { Binds: ['kept:/v'] } });
  await expect(engine.api, 'POST', '/containers/writer/start', { statuses: [204] });
  writerPid = (await containerState(engine.api, 'writer')).Pid;
});
after(() => engine.kill('SIGKILL'));

test('the engine under test really believes the clock of the test', async () => {
  setClock(yearMs);
  const { SystemTime } = await engine.api.json<{ readonly SystemTime: string }>('GET', '/info');
  assert.ok(Date.parse(SystemTime) > Date.now() + yearMs / 2, SystemTime);
  setClock(0);
});

for (const [direction, offsetMs] of [
  ['forward', yearMs],
  ['back', -yearMs],
] as const) {
  test(`a clock that jumps a year ${direction} in the middle of calls ends none of them early and none late`, async () => {
    faults.misbehave({ create: { does: 'hang' } });
    const began = performance.now();
    const hanging = engine.api.call('POST', '/volumes/create', { json: { Name: `hangs-${direction}`, Driver: 'timed' } });
    await sleep(300);
    setClock(offsetMs);
    const { body } = await hanging;
    const tookMs = performance.now() - began;
    assert.match(body, /did not answer in 3 s/);
    assert.ok(tookMs > 2_900 && tookMs < 12_000, `${tookMs} ms`);
    faults.misbehave({ create: { does: 'wait', waitMs: 1_000 } });
    const slow = engine.api.call('POST', '/volumes/create', { json: { Name: `slow-${direction}`, Driver: 'timed' } });
    await sleep(300);
    setClock(0);
    assert.equal((await slow).status, 201);
    faults.misbehave({});
    const { state, restarts } = await info();
    assert.deepEqual([state, restarts], ['ready', 0]);
    assert.equal((await containerState(engine.api, 'writer')).Pid, writerPid);
  });
}

test('a plugin is started, ends and comes back while the clock jumps to and fro', async (t) => {
  let jumps = 0;
  const jumping = setInterval(() => setClock(jumps++ % 2 === 0 ? yearMs : -yearMs), 20);
  t.after(() => clearInterval(jumping));
  for (let round = 0; round < 3; round += 1) {
    await expect(engine.api, 'POST', '/plugins/timed/disable', { statuses: [200] });
    await expect(engine.api, 'POST', '/plugins/timed/enable?timeout=20', { statuses: [200] });
    const { pid = 0, generation = 0 } = await info();
    process.kill(pid, 'SIGKILL');
    await until(async () => {
      const now = await info();
      return now.state === 'ready' && (now.generation ?? 0) > generation;
    });
    await expect(engine.api, 'POST', '/volumes/create', { statuses: [201], json: { Name: `round-${round}`, Driver: 'timed' } });
  }
  clearInterval(jumping);
  setClock(0);
  assert.equal((await containerState(engine.api, 'writer')).Pid, writerPid);
});
