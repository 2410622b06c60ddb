import assert from 'node:assert/strict';
import { type Dirent, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from '../linux/index.ts';
import { attach, change, eventually, layer, list, prepare, refuses, show } from './conformance-steps.ts';
import type { Run } from './conformance-subject.ts';

/** Once nothing of what was removed earlier is deleted any more. */
async function settled(used: () => number): Promise<number> {
  let last = Number.NaN;
  for (let now = used(); now !== last; now = used()) {
    last = now;
    await sleep(250);
  }
  return last;
}

/** What is seen through a mount. */
export const mounting: Readonly<Record<string, Run>> = {
  'attach.no-data-change': async (subject) => {
    await layer(subject, 'one', [], (root) => writeFileSync(join(root, 'file'), 'one'));
    await prepare(subject, 'two', ['one']);
    await change(subject, { key: 'two', chain: ['one'] }, (root) => writeFileSync(join(root, 'mine'), 'two'));
    for (let time = 0; time < 3; time++) await attach(subject, { key: 'two', chain: ['one'] });
    await using tree = await show(subject, { key: 'two', chain: ['one'] });
    assert.deepEqual(readdirSync(tree.path).toSorted(), ['file', 'mine']);
  },
  'remove.ok-frees-space': async (subject) => {
    const used = subject.usedBytes ?? (() => bytesBelow(subject.dataDir));
    const before = await settled(used);
    await layer(subject, 'big', [], (root) => writeFileSync(join(root, 'file'), Buffer.alloc(4 << 20, 1)));
    assert.ok(used() - before >= 4 << 20);
    await subject.driver.remove({ key: 'big' }, subject.ctx);
    await eventually('a removed snapshot still takes space', () => used() - before < 1 << 20);
  },
  'remove.deferred-eventually': async (subject) => {
    const before = entriesBelow(subject.dataDir);
    await layer(subject, 'big', [], (root) => {
      for (let at = 0; at < 2_000; at++) writeFileSync(join(root, `file${at}`), 'x');
    });
    await subject.driver.remove({ key: 'big' }, subject.ctx);
    // What was not deleted yet is nobody's but the next start's.
    subject.kill?.();
    const driver = await subject.restart();
    assert.deepEqual(await list(driver, subject.ctx), []);
    await eventually('files of a removed snapshot are still there', () => entriesBelow(subject.dataDir) <= before);
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
  'attach.rw-second': async (subject) => {
    await layer(subject, 'one', []);
    await prepare(subject, 'two', ['one']);
    {
      await using _first = await show(subject, { key: 'two', chain: ['one'], attachmentId: 'first' });
      await refuses('conflict', attach(subject, { key: 'two', chain: ['one'], attachmentId: 'second' }));
      await attach(subject, { key: 'two', chain: ['one'], attachmentId: 'first' });
      await attach(subject, { key: 'two', chain: ['one'], attachmentId: 'looks', readOnly: true });
    }
    await using _second = await show(subject, { key: 'two', chain: ['one'], attachmentId: 'second' });
  },
  'attach.ephemeral-then-again': async (subject) => {
    await layer(subject, 'one', [], (root) => writeFileSync(join(root, 'file'), 'one'));
    await prepare(subject, 'two', ['one']);
    for (const [at, ephemeral] of [true, true, false].entries()) {
      await change(subject, { key: 'two', chain: ['one'], ephemeral }, (root) => writeFileSync(join(root, `mine${at}`), 'two'));
    }
    await subject.driver.commit({ key: 'two', name: 'two', chain: ['one'] }, subject.ctx);
    await using tree = await show(subject, { key: 'two', chain: ['one'], readOnly: true });
    assert.deepEqual(readdirSync(tree.path).toSorted(), ['file', 'mine0', 'mine1', 'mine2']);
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

function entriesBelow(folder: string): number {
  try {
    return readdirSync(folder, { recursive: true }).length;
  } catch (error) {
    // Folders vanish while they are read as long as something is being deleted.
    if (isErrno(error, 'ENOENT')) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

/** What goes away meanwhile counts no more. */
function bytesBelow(folder: string): number {
  let bytes = 0;
  const folders = [folder];
  for (let at = 0; at < folders.length; at++) {
    for (const entry of entriesIn(folders[at] ?? '')) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else bytes += lstatSync(path, { throwIfNoEntry: false })?.blocks ?? 0;
    }
  }
  return bytes * 512;
}

function entriesIn(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
