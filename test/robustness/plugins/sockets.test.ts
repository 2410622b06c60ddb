import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { GantryError, messageOf } from '@gantry/sdk';
import type { PluginState } from '@gantry/sdk/engine';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import type { Speaks } from '../../support/plugins/fault-plugin/socket-fault.ts';
import { Rig, soon, writer } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let rig: Rig;
before(async () => {
  rig = await Rig.open({ pluginPolicy: { backOffMs: [20, 40], crashBudget: { count: 2, withinMs: 300_000 }, quarantineMs: [600_000] } });
  await using plugin = await rig.install('first');
  await plugin.create('first-volume');
});
after(() => rig[Symbol.asyncDispose]());

const rows: readonly (readonly [Speaks['speaks'], RegExp])[] = [
  ['nothing', /it was not ready within 2.5 s/],
  ['http/1.1', /it was not ready within 2.5 s|nobody answers|the connection broke/],
  ['noise', /it was not ready within 2.5 s|nobody answers|the connection broke/],
  ['an end', /it was not ready within 2.5 s|nobody answers|the connection broke/],
];

for (const [speaks, message] of rows) {
  test(`a plugin whose socket speaks ${speaks} is quarantined with the reason, and costs nobody anything`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    await using container = await writer(rig.under, 'kept', 'well');
    const name = `speaks-${speaks.replaceAll(/[^a-z]/g, '-')}-x`;
    await using plugin = await rig.install(name, { socket: { speaks }, manifest: { startTimeout: '2500ms' }, enable: false });
    const [error] = await Promise.all([soon(rig.engine.plugins.enable(name).catch((reason: unknown) => reason)), rig.othersAreWell()]);
    assert.ok(GantryError.is(error));
    assert.match(messageOf(error), message);
    const info = await plugin.becomes('quarantined', 25_000);
    assert.match(info.error ?? '', message);
    assert.ok(info.hint !== undefined);
    await container.isUntouched();
  });
}

test('a plugin that puts a link to the socket of another in the place of its own gets that one to prove itself, which it cannot', async () => {
  await using _nothingLeft = await rig.noLeaks();
  const [target] = globSync(join(rig.well.runDir, '*/d.sock'));
  assert.ok(target !== undefined);
  await using plugin = await rig.install('squats', {
    socket: { speaks: 'elsewhere', target },
    manifest: { startTimeout: '2500ms' },
    enable: false,
  });
  const { pid } = rig.well;
  await assert.rejects(soon(rig.engine.plugins.enable('squats')), /does not know this start's token/);
  await plugin.becomes('quarantined' satisfies PluginState);
  assert.deepEqual([rig.well.pid, rig.well.info.state], [pid, 'ready'], 'the other is none the worse');
  await rig.othersAreWell();
});

test('what a plugin prints as its address, name and version does not count: only what it proves at its own socket', async () => {
  await using plugin = await rig.install('boasts', { raw: { line: { endpoint: 'tcp://203.0.113.1:22', name: 'well', version: '9.9.9' } } });
  assert.deepEqual([plugin.info.state, plugin.info.version], ['ready', '1.0.0']);
  await plugin.create('vol');
});

test('a plugin that says twice that it listens is ready once, and the second time is output', async () => {
  await using plugin = await rig.install('repeats', { raw: { repeats: true } });
  assert.equal(plugin.info.state, 'ready');
  assert.equal(plugin.info.output.filter((line) => line.startsWith('GANTRY-PLUGIN 1 {')).length, 1);
});
