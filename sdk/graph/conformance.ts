import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attachment, Ctx } from '../types/index.ts';
import { type Change, type Scenario, scenarios } from './conformance-trees.ts';
import type { GraphDriver, Snapshot } from './contract.ts';

/** An attachment that the kit's host mounted. */
export interface MountedSnapshot extends AsyncDisposable {
  readonly path: string;
}
/** A driver under test over an empty data folder. `restart` opens it again on the same folder; without `mount` the mounting cases are left out. */
export interface GraphUnderTest {
  readonly driver: GraphDriver;
  readonly ctx: Ctx;
  readonly dataDir: string;
  readonly restart: () => Promise<GraphDriver>;
  readonly mount?: (attachment: Attachment) => Promise<MountedSnapshot>;
}
export interface GraphCase {
  readonly name: string;
  /** Why the case makes no sense for this driver; undefined: run it. */
  readonly skip: (subject: GraphUnderTest) => string | undefined;
  readonly run: (subject: GraphUnderTest) => Promise<void>;
}

type Run = GraphCase['run'];
/** What can be seen without a mount. */
const requests: Readonly<Record<string, Run>> = {
  'prepare.idempotent': async (subject) => {
    await layer(subject, 'one', []);
    assert.deepEqual(await prepare(subject, 'two', ['one']), await prepare(subject, 'two', ['one']));
  },
  'prepare.conflict-other-chain': async (subject) => {
    await layer(subject, 'one', []);
    await prepare(subject, 'two', ['one']);
    await refuses('already_exists', prepare(subject, 'two', []));
  },
  'prepare.missing-parent': async (subject) => {
    await refuses('not_found', prepare(subject, 'two', ['nobody']));
    assert.deepEqual(await list(subject.driver, subject.ctx), []);
  },
  'prepare.bad-key': async (subject) => {
    for (const key of ['', '..', '.', 'a/b', 'A', 'a b', 'x'.repeat(65), 'a\0b'])
      await refuses('invalid_argument', prepare(subject, key, []));
    assert.deepEqual(await list(subject.driver, subject.ctx), []);
  },
  'attach.same-id-same-answer': async (subject) => {
    await layer(subject, 'one', []);
    await prepare(subject, 'two', ['one']);
    const ask = () => attach(subject, { key: 'two', chain: ['one'] });
    assert.deepEqual(await ask(), await ask());
  },
  'attach.committed-is-never-writable': async (subject) => {
    await layer(subject, 'one', []);
    await refuses('conflict', attach(subject, { key: 'one', chain: [] }));
  },
  'attach.missing': async (subject) => refuses('not_found', attach(subject, { key: 'nobody', chain: [] })),
  'attach.paths-inside-data': async (subject) => {
    await layer(subject, 'one', []);
    await prepare(subject, 'two', ['one']);
    const { mounts } = await attach(subject, { key: 'two', chain: ['one'] });
    const places = mounts.flatMap(({ source, overlay }) => [source, ...(overlay?.lower ?? []), overlay?.upper, overlay?.work]);
    for (const place of places) assert.ok(place === undefined || !('host' in place), JSON.stringify(place));
  },
  'detach.twice': async (subject) => {
    await prepare(subject, 'one', []);
    await attach(subject, { key: 'one', chain: [] });
    for (let time = 0; time < 2; time++) await subject.driver.detach({ key: 'one', attachmentId: 'test' }, subject.ctx);
  },
  'detach.never-attached': async ({ driver, ctx }) => driver.detach({ key: 'nobody', attachmentId: 'nothing' }, ctx),
  'commit.removes-key': async (subject) => {
    await prepare(subject, 'work', []);
    await subject.driver.commit({ key: 'work', name: 'done', chain: [] }, subject.ctx);
    assert.deepEqual(await list(subject.driver, subject.ctx), [{ key: 'done', committed: true }]);
  },
  'commit.idempotent': async (subject) => {
    await prepare(subject, 'work', []);
    for (let time = 0; time < 2; time++) await subject.driver.commit({ key: 'work', name: 'done', chain: [] }, subject.ctx);
    for (let time = 0; time < 2; time++) await subject.driver.commit({ key: 'done', name: 'done', chain: [] }, subject.ctx);
  },
  'commit.missing': async ({ driver, ctx }) => refuses('not_found', driver.commit({ key: 'nobody', name: 'done', chain: [] }, ctx)),
  'remove.ok': async (subject) => {
    await prepare(subject, 'work', []);
    await layer(subject, 'done', []);
    for (const key of ['work', 'done']) await subject.driver.remove({ key }, subject.ctx);
    assert.deepEqual(await list(subject.driver, subject.ctx), []);
    await refuses('not_found', attach(subject, { key: 'work', chain: [] }));
  },
  'remove.idempotent': async ({ driver, ctx }) => driver.remove({ key: 'nobody' }, ctx),
  'list.exact-set': async (subject) => {
    await layer(subject, 'one', []);
    await prepare(subject, 'two', ['one']);
    const expected = [
      { key: 'one', committed: true },
      { key: 'two', committed: false },
    ];
    assert.deepEqual(await list(subject.driver, subject.ctx), expected);
    assert.deepEqual(await list(await subject.restart(), subject.ctx), expected);
  },
  'parallel.32-prepare-commit-remove': async (subject) => {
    const keys = Array.from({ length: 32 }, (_, at) => `p${at}`);
    await Promise.all(
      keys.map(async (key) => {
        await prepare(subject, key, []);
        await subject.driver.commit({ key, name: key, chain: [] }, subject.ctx);
        await subject.driver.remove({ key }, subject.ctx);
      }),
    );
    assert.deepEqual(await list(subject.driver, subject.ctx), []);
  },
};

/** What a driver may leave to the background, but not for ever. */
async function eventually(what: string, test: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await test())) {
    if (performance.now() > deadline) assert.fail(what);
    await sleep(20);
  }
}

const mounting: Readonly<Record<string, Run>> = {
  'attach.no-data-change': async (subject) => {
    await layer(subject, 'one', [], (root) => writeFileSync(join(root, 'file'), 'one'));
    await prepare(subject, 'two', ['one']);
    await change(subject, { key: 'two', chain: ['one'] }, (root) => writeFileSync(join(root, 'mine'), 'two'));
    for (let time = 0; time < 3; time++) await attach(subject, { key: 'two', chain: ['one'] });
    await using tree = await show(subject, { key: 'two', chain: ['one'] });
    assert.deepEqual(readdirSync(tree.path).toSorted(), ['file', 'mine']);
  },
  'remove.frees-space': async (subject) => {
    const before = bytesBelow(subject.dataDir);
    await layer(subject, 'big', [], (root) => writeFileSync(join(root, 'file'), Buffer.alloc(4 << 20, 1)));
    assert.ok(bytesBelow(subject.dataDir) - before >= 4 << 20);
    await subject.driver.remove({ key: 'big' }, subject.ctx);
    await eventually('a removed snapshot still takes space', () => bytesBelow(subject.dataDir) - before < 1 << 20);
  },
  'parallel.read-during-commit': async (subject) => {
    await layer(subject, 'base', [], (root) => writeFileSync(join(root, 'file'), 'base'));
    await using tree = await show(subject, { key: 'base', chain: [], readOnly: true });
    const committing = Array.from({ length: 8 }, (_, at) => layer(subject, `child${at}`, ['base']));
    for (let time = 0; time < 50; time++) {
      assert.equal(readFileSync(join(tree.path, 'file'), 'utf8'), 'base');
      await sleep(1);
    }
    await Promise.all(committing);
  },
  'prepare.empty-base': async (subject) => {
    await prepare(subject, 'base', []);
    await using tree = await show(subject, { key: 'base', chain: [] });
    assert.deepEqual(readdirSync(tree.path), []);
  },
  'prepare.child-sees-parent': async (subject) => {
    await layer(subject, 'one', [], (root) => writeFileSync(join(root, 'file'), 'one'));
    await prepare(subject, 'two', ['one']);
    await using tree = await show(subject, { key: 'two', chain: ['one'] });
    assert.equal(readFileSync(join(tree.path, 'file'), 'utf8'), 'one');
  },
  'attach.rw': async (subject) => {
    await prepare(subject, 'one', []);
    await change(subject, { key: 'one', chain: [] }, (root) => writeFileSync(join(root, 'file'), 'kept'));
    await using again = await show(subject, { key: 'one', chain: [] });
    assert.equal(readFileSync(join(again.path, 'file'), 'utf8'), 'kept');
  },
  'attach.ro-is-readonly': async (subject) => {
    await layer(subject, 'one', []);
    await layer(subject, 'two', ['one']);
    for (const snapshot of [
      { key: 'one', chain: [] },
      { key: 'two', chain: ['one'] },
    ]) {
      await using tree = await show(subject, { ...snapshot, readOnly: true });
      assert.throws(() => writeFileSync(join(tree.path, 'file'), 'x'), { code: 'EROFS' });
    }
  },
  'attach.ro-many': async (subject) => {
    await layer(subject, 'one', [], (root) => writeFileSync(join(root, 'file'), 'one'));
    await layer(subject, 'two', ['one']);
    await using first = await show(subject, { key: 'two', chain: ['one'], readOnly: true });
    await using second = await show(subject, { key: 'two', chain: ['one'], readOnly: true, attachmentId: 'second' });
    assert.equal(readFileSync(join(first.path, 'file'), 'utf8'), readFileSync(join(second.path, 'file'), 'utf8'));
  },
  'attach.after-restart': async (subject) => {
    await layer(subject, 'one', [], (root) => writeFileSync(join(root, 'file'), 'one'));
    await prepare(subject, 'two', ['one']);
    const driver = await subject.restart();
    await using tree = await show({ ...subject, driver }, { key: 'two', chain: ['one'] });
    assert.equal(readFileSync(join(tree.path, 'file'), 'utf8'), 'one');
  },
  'commit.content': async (subject) => {
    await layer(subject, 'one', [], (root) => writeFileSync(join(root, 'file'), 'one'));
    await using tree = await show(subject, { key: 'one', chain: [], readOnly: true });
    assert.equal(readFileSync(join(tree.path, 'file'), 'utf8'), 'one');
  },
  'commit.name-taken': async (subject) => {
    await layer(subject, 'done', [], (root) => writeFileSync(join(root, 'file'), 'first'));
    await prepare(subject, 'work', []);
    await refuses('already_exists', subject.driver.commit({ key: 'work', name: 'done', chain: [] }, subject.ctx));
  },
  'remove.while-attached': async (subject) => {
    await layer(subject, 'one', []);
    await prepare(subject, 'two', ['one']);
    await using _tree = await show(subject, { key: 'two', chain: ['one'] });
    await refuses('conflict', subject.driver.remove({ key: 'two' }, subject.ctx));
    // A driver that keeps changes shows the parent's folder too.
    if (subject.driver.features.includes('changes')) await refuses('conflict', subject.driver.remove({ key: 'one' }, subject.ctx));
  },
};

/** All of it must hold for every driver; what only some kernels or drivers can do is skipped by name. */
export const graphCases: readonly GraphCase[] = [
  ...cases(requests, () => undefined),
  ...cases(mounting),
  ...cases(Object.fromEntries(Object.entries(scenarios).map(([name, scenario]) => [name, (subject) => runScenario(subject, scenario)]))),
  ...cases({ 'deep.2': (subject) => deep(subject, 2), 'deep.128': (subject) => deep(subject, 128) }),
  {
    name: 'usage.grows-by-written',
    skip: (subject) => cannotMount(subject) ?? (subject.driver.usage === undefined ? 'has no usage' : undefined),
    run: async (subject) => {
      const usage = async () => (await subject.driver.usage?.({ key: 'one', chain: [] }, subject.ctx))?.bytes ?? assert.fail();
      await prepare(subject, 'one', []);
      const before = await usage();
      await change(subject, { key: 'one', chain: [] }, (root) => writeFileSync(join(root, 'file'), Buffer.alloc(1 << 20, 1)));
      const grown = (await usage()) - before;
      assert.ok(grown >= 1 << 20 && grown < 2 << 20, `1 MiB was written, usage grew by ${grown}`);
    },
  },
  {
    name: 'deep.300',
    skip: (subject) =>
      cannotMount(subject) ?? (subject.driver.features.includes('changes') ? undefined : 'copies the whole tree 300 times'),
    run: (subject) => deep(subject, 300),
  },
  {
    name: 'changes.hold-only-what-was-added',
    skip: (subject) => cannotMount(subject) ?? (subject.driver.features.includes('changes') ? undefined : 'no feature changes'),
    run: async (subject) => {
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
  },
  {
    name: 'changes.parents-may-be-named-at-commit',
    skip: (subject) => cannotMount(subject) ?? (subject.driver.features.includes('changes') ? undefined : 'no feature changes'),
    run: async (subject) => {
      await prepare(subject, 'two', []);
      {
        await using early = await show(subject, { key: 'two', chain: [], view: 'changes' });
        writeFileSync(join(early.path, 'added'), 'x');
      }
      await layer(subject, 'one', [], (root) => writeFileSync(join(root, 'below'), 'x'));
      await subject.driver.commit({ key: 'two', name: 'two', chain: ['one'] }, subject.ctx);
      await using tree = await show(subject, { key: 'two', chain: ['one'], readOnly: true });
      assert.deepEqual(readdirSync(tree.path).toSorted(), ['added', 'below']);
    },
  },
];

function cases(runs: Readonly<Record<string, Run>>, skip: GraphCase['skip'] = cannotMount): readonly GraphCase[] {
  return Object.entries(runs).map(([name, run]) => ({ name, skip, run }));
}

function cannotMount({ mount }: GraphUnderTest): string | undefined {
  return mount === undefined ? 'nothing is mounted here' : undefined;
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
  await using tree = await show(subject, { key: 'container', chain });
  assert.equal(readdirSync(tree.path).length, layers + 1);
  assert.equal(readFileSync(join(tree.path, 'last'), 'utf8'), String(layers - 1));
}

function bytesBelow(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const found = lstatSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false });
    if (found?.isFile() === true) bytes += found.blocks * 512;
  }
  return bytes;
}

interface Wanted {
  readonly key: string;
  readonly chain: readonly string[];
  readonly readOnly?: boolean;
  readonly view?: 'merged' | 'changes';
  readonly attachmentId?: string;
}

function prepare({ driver, ctx }: GraphUnderTest, key: string, chain: readonly string[]): ReturnType<GraphDriver['prepare']> {
  return driver.prepare({ key, chain }, ctx);
}

async function attach({ driver, ctx }: GraphUnderTest, wanted: Wanted): Promise<Attachment> {
  const { key, chain, readOnly = false, view = 'merged', attachmentId = 'test' } = wanted;
  return (await driver.attach({ key, chain, readOnly, view, attachmentId }, ctx)).attachment;
}

async function show(subject: GraphUnderTest, wanted: Wanted): Promise<MountedSnapshot> {
  assert.ok(subject.mount);
  return subject.mount(await attach(subject, wanted));
}

async function change(subject: GraphUnderTest, wanted: Wanted, work: Change): Promise<void> {
  await using tree = await show(subject, wanted);
  work(tree.path);
}

/** A committed snapshot. */
async function layer(subject: GraphUnderTest, key: string, chain: readonly string[], work?: Change): Promise<void> {
  await prepare(subject, key, chain);
  if (work !== undefined) await change(subject, { key, chain }, work);
  await subject.driver.commit({ key, name: key, chain }, subject.ctx);
}

async function list(driver: GraphDriver, ctx: Ctx): Promise<readonly Snapshot[]> {
  const found: Snapshot[] = [];
  for await (const snapshot of driver.list({}, ctx)) found.push(snapshot);
  return found.toSorted((left, right) => (left.key < right.key ? -1 : 1));
}

async function refuses(code: string, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, { code });
}
