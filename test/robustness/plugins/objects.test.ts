import assert from 'node:assert/strict';
import { chownSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type FaultPlugin, Rig, soon, until, writer } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const graceMs = 4_000;
let rig: Rig;
before(async () => {
  rig = await Rig.open({
    pluginPolicy: { backOffMs: [50, 200], compareMs: 500, orphanGraceMs: graceMs, crashBudget: { count: 100, withinMs: 300_000 } },
  });
  await using plugin = await rig.install('first');
  await plugin.create('first-volume');
});
after(() => rig[Symbol.asyncDispose]());

const folderOf = ({ dataDir }: FaultPlugin, volume: string): string => join(dataDir, 'volumes', volume);

/** Made behind the engine's back. */
function makeStray(plugin: FaultPlugin, volume: string): void {
  mkdirSync(folderOf(plugin, volume), { recursive: true });
  writeFileSync(join(folderOf(plugin, volume), 'precious'), 'data');
  const { uid, gid } = statSync(plugin.dataDir);
  chownSync(folderOf(plugin, volume), uid, gid);
}

async function listsOrphan(plugin: FaultPlugin, volume: string): Promise<void> {
  const isListed = (): boolean => plugin.info.orphans?.some(({ id }) => id === volume) === true;
  await until(isListed, 10_000, () => `${volume} is not listed: ${JSON.stringify(plugin.info.orphans)}`);
}

test('what a plugin has and nobody knows of is listed since when, kept by itself, and deleted when a user says so', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('strays');
  await using container = await writer(rig.under, 'kept', plugin.driver);
  const began = Date.now();
  makeStray(plugin, 'stray');
  await listsOrphan(plugin, 'stray');
  const [orphan, ...others] = plugin.info.orphans ?? [];
  assert.deepEqual([others, orphan?.kind, orphan?.id, orphan?.driver], [[], 'volume', 'stray', 'volume/strays']);
  assert.ok((orphan?.since.getTime() ?? 0) >= began - 1_000);
  assert.equal(plugin.info.state, 'ready', 'an orphan harms nobody');
  const { plugins } = rig.engine;
  const young = await plugins.collectOrphans('strays');
  assert.deepEqual([young.deleted, young.kept.map(({ id }) => id)], [[], ['stray']]);
  assert.match(young.kept[0]?.reason ?? '', /first seen a short while ago/);
  const tried = await plugins.collectOrphans('strays', { all: true, dryRun: true });
  assert.deepEqual(
    tried.deleted.map(({ id }) => id),
    ['stray'],
  );
  await sleep(graceMs + 1_500);
  assert.ok(existsSync(join(folderOf(plugin, 'stray'), 'precious')), 'nobody said that it may go');
  assert.deepEqual(
    (await plugins.collectOrphans('strays')).deleted.map(({ id }) => id),
    ['stray'],
  );
  assert.ok(!existsSync(folderOf(plugin, 'stray')));
  assert.equal(plugin.info.orphans, undefined);
  assert.match(plugin.info.output.join('\n'), /deleted volume stray of volume driver strays, which nobody knew of/);
  await container.isUntouched();
});

test('a user may have orphans deleted by themselves, each a while after it was seen first, and may take that back', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('cleans');
  await using container = await writer(rig.under, 'kept', plugin.driver);
  const { plugins } = rig.engine;
  await plugins.collectOrphansAlways('cleans', true);
  assert.equal(plugin.info.collectsOrphans, true);
  makeStray(plugin, 'stray');
  await listsOrphan(plugin, 'stray');
  await until(
    () => !existsSync(folderOf(plugin, 'stray')),
    graceMs + 10_000,
    () => 'the stray is still there',
  );
  await container.isUntouched();
  await plugins.collectOrphansAlways('cleans', false);
  makeStray(plugin, 'another');
  await sleep(graceMs + 2_000);
  assert.ok(existsSync(folderOf(plugin, 'another')));
});

test('an orphan that the plugin does not delete is kept, with why', async () => {
  await using plugin = await rig.install('clings');
  await plugin.create('known');
  makeStray(plugin, 'stray');
  await listsOrphan(plugin, 'stray');
  plugin.misbehave({ remove: { does: 'throw' } });
  const { deleted, kept } = await rig.engine.plugins.collectOrphans('clings', { all: true });
  assert.deepEqual([deleted, kept.map(({ id }) => id)], [[], ['stray']]);
  assert.match(kept[0]?.reason ?? '', /the back end said something odd/);
});

test('a volume that is being made, or that is gone again, is neither an orphan nor missing', async () => {
  await using plugin = await rig.install('busy');
  plugin.misbehave({ create: { does: 'wait', waitMs: 1_500, when: 'after', once: true } });
  const made = plugin.create('slow');
  await until(
    () => existsSync(folderOf(plugin, 'slow')),
    5_000,
    () => 'it is not made',
  );
  assert.deepEqual((await rig.engine.plugins.collectOrphans('busy', { all: true })).deleted, []);
  await made;
  assert.ok(existsSync(folderOf(plugin, 'slow')));
  assert.deepEqual([plugin.info.orphans, plugin.info.missing, plugin.info.state], [undefined, undefined, 'ready']);
});

test('volumes that a plugin does not have any more make it degraded, with their list, until they are back or removed', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('loses');
  await using container = await writer(rig.under, 'kept', plugin.driver);
  for (const volume of ['lost-1', 'lost-2']) {
    await plugin.create(volume);
    rmSync(folderOf(plugin, volume), { recursive: true });
  }
  const { error = '', missing = [] } = await plugin.becomes('degraded');
  assert.match(error, /volume lost-1 is missing; volume lost-2 is missing/);
  assert.deepEqual(
    missing.map(({ kind, id, driver }) => [kind, id, driver]),
    [
      ['volume', 'lost-1', 'volume/loses'],
      ['volume', 'lost-2', 'volume/loses'],
    ],
  );
  await Promise.all([rig.othersAreWell(), container.isUntouched()]);
  mkdirSync(folderOf(plugin, 'lost-1'));
  await rig.engine.volumes.remove('lost-2', { force: false });
  await plugin.becomes('ready');
  assert.deepEqual([plugin.info.missing, plugin.info.error], [undefined, undefined]);
});

test('a plugin that tells of orphans without end is cut short, and of them no more are kept than anybody reads', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('floods');
  await plugin.create('known');
  plugin.misbehave({ reconcile: { does: 'flood' } });
  await until(
    () => (plugin.info.orphans?.length ?? 0) > 100,
    30_000,
    () => JSON.stringify(plugin.info),
  );
  assert.ok((plugin.info.orphans?.length ?? 0) <= 500);
  assert.ok(plugin.info.orphans?.every(({ detail = '' }) => detail.length <= 256));
  await Promise.all([soon(plugin.create('another')), rig.othersAreWell()]);
});
