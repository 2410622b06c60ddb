import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attributes } from './conformance-attributes.ts';
import { crashes } from './conformance-crashes.ts';
import { layerCases } from './conformance-layers.ts';
import { limits } from './conformance-limits.ts';
import { mounting } from './conformance-mounting.ts';
import { requests } from './conformance-requests.ts';
import { change, layer, prepare, show } from './conformance-steps.ts';
import { cannotMount, cases, type GraphCase, type GraphUnderTest } from './conformance-subject.ts';
import { type Scenario, trees } from './conformance-trees.ts';

export type { GraphCase, GraphUnderTest, LayerWork, MountedSnapshot, SnapshotRef } from './conformance-subject.ts';

/** All of it must hold for every driver; what only some kernels or drivers can do is skipped by name. */
export const graphCases: readonly GraphCase[] = [
  ...cases(requests, () => undefined),
  ...cases(mounting),
  ...cases(
    Object.fromEntries(
      Object.entries({ ...trees, ...attributes }).map(([name, scenario]) => [name, (subject) => runScenario(subject, scenario)]),
    ),
  ),
  ...cases({ 'deep.2': (subject) => deep(subject, 2), 'deep.127-layers': (subject) => deep(subject, 127) }),
  ...cases({ 'deep.300': (subject) => deep(subject, 300) }, withChanges),
  ...cases(
    {
      'usage.grows-by-written': async (subject) => {
        const usage = async () => (await subject.driver.usage?.({ key: 'one', chain: [] }, subject.ctx))?.bytes ?? assert.fail();
        await prepare(subject, 'one', []);
        const before = await usage();
        await change(subject, { key: 'one', chain: [] }, (root) => writeFileSync(join(root, 'file'), Buffer.alloc(1 << 20, 1)));
        const grown = (await usage()) - before;
        assert.ok(grown >= 1 << 20 && grown < 2 << 20, `1 MiB was written, usage grew by ${grown}`);
      },
    },
    (subject) => cannotMount(subject) ?? (subject.driver.usage === undefined ? 'has no usage' : undefined),
  ),
  ...cases(
    {
      'changes.hold-only-what-was-added': async (subject) => {
        await layer(subject, 'one', [], (root) => writeFileSync(join(root, 'below'), 'x'));
        await layer(subject, 'two', ['one'], (root) => {
          writeFileSync(join(root, 'added'), 'x');
          unlinkSync(join(root, 'below'));
        });
        await using tree = await show(subject, { key: 'two', chain: ['one'], readOnly: true, view: 'changes' });
        assert.deepEqual(readdirSync(tree.path).toSorted(), ['added', 'below']);
        const whiteout = lstatSync(join(tree.path, 'below'));
        assert.ok(whiteout.isCharacterDevice() && whiteout.rdev === 0);
      },
      'changes.parents-may-be-named-at-commit': async (subject) => {
        await prepare(subject, 'two', []);
        {
          await using early = await show(subject, { key: 'two', chain: [], view: 'changes' });
          writeFileSync(join(early.path, 'added'), 'x');
        }
        await layer(subject, 'one', [], (root) => writeFileSync(join(root, 'below'), 'x'));
        await subject.driver.commit({ key: 'two', name: 'two', chain: ['one'] }, subject.ctx);
        await assert.rejects(subject.driver.remove({ key: 'one' }, subject.ctx), { code: 'conflict' });
        await using tree = await show(subject, { key: 'two', chain: ['one'], readOnly: true });
        assert.deepEqual(readdirSync(tree.path).toSorted(), ['added', 'below']);
      },
    },
    withChanges,
  ),
  ...layerCases,
  ...limits,
  ...crashes,
];

function withChanges(subject: GraphUnderTest): string | undefined {
  return cannotMount(subject) ?? (subject.driver.features.includes('changes') ? undefined : 'no feature changes');
}

async function runScenario(subject: GraphUnderTest, { below = () => undefined, above, seen }: Scenario): Promise<void> {
  await layer(subject, 'below', [], below);
  await layer(subject, 'above', ['below'], above);
  await prepare(subject, 'container', ['above', 'below']);
  await using container = await show(subject, { key: 'container', chain: ['above', 'below'] });
  seen(container.path);
  await using committed = await show(subject, { key: 'above', chain: ['below'], readOnly: true });
  seen(committed.path);
}

/** Every layer adds a file and replaces a common one. */
async function deep(subject: GraphUnderTest, layers: number): Promise<void> {
  let chain: readonly string[] = [];
  for (let at = 0; at < layers; at++) {
    const key = `layer-${at}`;
    await layer(subject, key, chain, (root) => {
      writeFileSync(join(root, `file-${at}`), String(at));
      writeFileSync(join(root, 'last'), String(at));
    });
    chain = [key, ...chain];
  }
  await prepare(subject, 'container', chain);
  {
    await using tree = await show(subject, { key: 'container', chain });
    assert.equal(readdirSync(tree.path).length, layers + 1);
    assert.equal(readFileSync(join(tree.path, 'last'), 'utf8'), String(layers - 1));
  }
  // The topmost first: others would be refused.
  for (const key of ['container', ...chain]) await subject.driver.remove({ key }, subject.ctx);
}
