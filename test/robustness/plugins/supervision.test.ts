import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, messageOf } from '@gantry/sdk';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { processesOf, Rig, soon, until, writer } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let rig: Rig;
before(async () => {
  rig = await Rig.open({
    pluginPolicy: {
      backOffMs: [50, 200],
      crashBudget: { count: 4, withinMs: 300_000 },
      quarantineMs: [1_500],
      healthMs: 500,
      healthDeadlineMs: 2_000,
      memory: { share: 0.8, forMs: 1_000, lookMs: 100 },
    },
  });
  await using plugin = await rig.install('first');
  await plugin.create('first-volume');
  await rig.callsWorker();
});
after(() => rig[Symbol.asyncDispose]());

for (const how of ['stopped', 'spinning'] as const) {
  test(`a plugin's process that is ${how} gives no sign of life: it is ended by force and comes back, and containers go on`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    await using plugin = await rig.install(`hung-${how}`);
    await using container = await writer(rig.under, 'kept', plugin.driver);
    const { pid, info } = plugin;
    plugin.misbehave(how === 'spinning' ? { create: { does: 'spin', once: true } } : {});
    if (how === 'stopped') process.kill(pid, 'SIGSTOP');
    const call = plugin.create('waits');
    await rig.othersAreWell();
    await soon(call, 20_000);
    await plugin.comesBack(info.generation ?? 0);
    await until(
      () => !existsSync(`/proc/${pid}`),
      5_000,
      () => `process ${pid} is still there`,
    );
    assert.match(plugin.info.output.join('\n'), /ended: it gave no sign of life for 2 s/);
    await container.isUntouched();
  });
}

test('a plugin that crashes again and again waits longer and longer, is quarantined, tried again half-open, and freed by enable', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('loop');
  await using container = await writer(rig.under, 'kept', plugin.driver);
  const { plugins } = rig.engine;
  const states: string[] = [];
  const controller = new AbortController();
  const watching = (async () => {
    for await (const event of rig.engine.events.subscribe({ filters: { type: ['plugin'] }, signal: controller.signal }))
      states.push(event.action);
  })().catch(() => {});
  for (let crash = 0; crash < 4; crash += 1) {
    await until(
      () => plugin.info.state === 'ready',
      10_000,
      () => `not ready: ${plugin.info.error}`,
    );
    process.kill(plugin.pid, 'SIGKILL');
    await until(
      () => plugin.info.state !== 'ready',
      5_000,
      () => 'its end was not seen',
    );
  }
  const { error = '', hint = '', enabled } = await plugin.becomes('quarantined');
  assert.match(error, /it ended 4 times in a short while; the last: it was ended by SIGKILL/);
  assert.match(hint, /gantry plugin enable loop/);
  assert.equal(enabled, true, 'the wish is kept');
  await assert.rejects(plugin.create('none'), /plugin loop is quarantined/);
  await Promise.all([rig.othersAreWell(), container.isUntouched()]);
  await plugin.becomes('ready');
  process.kill(plugin.pid, 'SIGKILL');
  await plugin.becomes('quarantined');
  await plugins.enable('loop');
  assert.equal(plugin.info.state, 'ready');
  await plugin.create('again');
  const { generation = 0 } = plugin.info;
  process.kill(plugin.pid, 'SIGKILL');
  await plugin.comesBack(generation);
  assert.ok(states.filter((action) => action === 'crash').length >= 6);
  assert.equal(states.filter((action) => action === 'quarantine').length, 2);
  controller.abort();
  await watching;
});

test('a plugin that floods its stdout costs nobody anything; most of it is dropped and counted', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('flood');
  await using container = await writer(rig.under, 'kept', plugin.driver);
  plugin.misbehave({ create: { does: 'flood', once: true } });
  await Promise.all([soon(plugin.create('flooded'), 20_000), rig.othersAreWell()]);
  await until(
    async () => (await Array.fromAsync(rig.engine.plugins.logs('flood'))).some(({ line }) => /^dropped \d+ lines/.test(line)),
    5_000,
    () => plugin.info.output.join('\n'),
  );
  assert.equal(plugin.info.state, 'ready');
  await container.isUntouched();
});

test('a plugin that leaks memory is ended by its limit, which is told apart from a crash', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('leaky', { manifest: { resources: { memory: '192MiB' } } });
  await using container = await writer(rig.under, 'kept', plugin.driver);
  const { generation = 0 } = plugin.info;
  plugin.misbehave({ create: { does: 'leak', once: true } });
  await Promise.all([soon(plugin.create('leaked'), 25_000), rig.othersAreWell()]);
  await plugin.comesBack(generation);
  assert.match(plugin.info.output.join('\n'), /it used more memory than it may \(killed by the kernel\)/);
  await container.isUntouched();
});

test('a plugin that stays close to its limit of memory is renewed in time: calls under way end, none fails, and containers go on', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('hoarder', { manifest: { resources: { memory: '384MiB' } } });
  await using container = await writer(rig.under, 'kept', plugin.driver);
  const { pid, info } = plugin;
  const seen: string[] = [];
  const watching = new AbortController();
  const events = (async () => {
    for await (const event of rig.engine.events.subscribe({ filters: { type: ['plugin'] }, signal: watching.signal }))
      if (event.actor.attributes['name'] === 'hoarder') seen.push(event.action);
  })().catch(() => {});
  plugin.misbehave({ create: { does: 'hoard', mebibytes: 280, once: true } });
  await plugin.create('hoarded');
  plugin.misbehave({ create: { does: 'wait', waitMs: 2_500 } });
  const underWay = plugin.create('under-way');
  await plugin.comesBack(info.generation ?? 0);
  assert.notEqual(plugin.pid, pid);
  plugin.misbehave({});
  await Promise.all([underWay, plugin.create('after')]);
  await until(
    () => !existsSync(`/proc/${pid}`),
    15_000,
    () => `process ${pid} is still there`,
  );
  assert.match(plugin.info.output.join('\n'), /generation \d+ is renewed: it used 3\d\d MiB of its 384 MiB for 1 s/);
  assert.deepEqual(
    [plugin.info.state, seen.includes('renew'), seen.includes('crash'), seen.includes('oom')],
    ['ready', true, false, false],
  );
  watching.abort();
  await events;
  await container.isUntouched();
});

test('a process that a plugin leaves behind is gone when the plugin is', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('forks');
  plugin.misbehave({ create: { does: 'fork' } });
  await plugin.create('forked');
  await until(
    () => processesOf('/bin/sleep 7117').length === 1,
    5_000,
    () => 'it did not fork',
  );
  await rig.engine.plugins.disable('forks');
  assert.deepEqual(processesOf('/bin/sleep 7117'), []);
  await rig.engine.plugins.enable('forks');
  await plugin.create('forked-again');
  const { pid, info } = plugin;
  process.kill(pid, 'SIGKILL');
  await plugin.comesBack(info.generation ?? 0);
  assert.deepEqual(processesOf('/bin/sleep 7117'), []);
});

test('a plugin whose socket vanishes goes on by the connection that it has', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('unlinked');
  const { pid } = plugin;
  for (const socket of globSync(join(plugin.runDir, '*/*.sock'))) rmSync(socket);
  await plugin.create('one');
  await sleep(1_200);
  await plugin.create('two', { lookup: 'none' }).catch((error: unknown) => assert.match(messageOf(error), /may not look up/));
  assert.deepEqual([plugin.info.state, plugin.pid], ['ready', pid]);
});

test('a plugin in a worker that ends in the middle of a call comes back', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('thread', { placement: 'worker' });
  await using container = await writer(rig.under, 'kept', plugin.driver);
  const { generation = 0 } = plugin.info;
  plugin.misbehave({ create: { does: 'spin', once: true } });
  await Promise.all([soon(plugin.create('spun'), 20_000), rig.othersAreWell()]);
  await plugin.comesBack(generation);
  await container.isUntouched();
});

test('a full disk below a plugin fails the one call with what it is, and the next that needs no room succeeds', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using undo = new AsyncDisposableStack();
  const plugin = undo.use(await rig.install('full', { enable: false }));
  mkdirSync(plugin.dataDir, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', plugin.dataDir]);
  const { dataDir } = plugin;
  undo.defer(async () => {
    await rig.engine.plugins.disable('full');
    execFileSync('umount', [dataDir]);
  });
  await rig.engine.plugins.enable('full');
  await assert.rejects(plugin.create('too-much', { fill: '1000000' }), (error) => {
    assert.match(messageOf(error), /volume driver full: create: .*no space left/);
    return codeOf(error) === 'exhausted';
  });
  rmSync(join(dataDir, 'fill'));
  await plugin.create('little');
  assert.equal(plugin.info.state, 'ready');
  await rig.othersAreWell();
});

test('a plugin that floods the log of the engine is cut short, and its call succeeds', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('logs');
  plugin.misbehave({ create: { does: 'flood-log', once: true } });
  await Promise.all([soon(plugin.create('logged'), 20_000), rig.othersAreWell()]);
  assert.equal(plugin.info.state, 'ready');
});
