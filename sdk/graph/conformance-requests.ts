import assert from 'node:assert/strict';
import { codeOf } from '../errors.ts';
import { attach, layer, list, prepare, refuses } from './conformance-steps.ts';
import type { Run } from './conformance-subject.ts';

/** What can be seen without a mount. */
export const requests: Readonly<Record<string, Run>> = {
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
  'remove.with-children': async (subject) => {
    await layer(subject, 'one', []);
    await layer(subject, 'two', ['one']);
    await prepare(subject, 'three', ['two', 'one']);
    for (const [parent, child] of [
      ['two', 'three'],
      ['one', 'two'],
    ] as const) {
      await refuses('conflict', subject.driver.remove({ key: parent }, subject.ctx));
      await subject.driver.remove({ key: child }, subject.ctx);
    }
    await subject.driver.remove({ key: 'one' }, subject.ctx);
    assert.deepEqual(await list(subject.driver, subject.ctx), []);
  },
  'remove.with-children-after-restart': async (subject) => {
    await layer(subject, 'one', []);
    await prepare(subject, 'two', ['one']);
    const driver = await subject.restart();
    await refuses('conflict', driver.remove({ key: 'one' }, subject.ctx));
    for (const key of ['two', 'one']) await driver.remove({ key }, subject.ctx);
    assert.deepEqual(await list(driver, subject.ctx), []);
  },
  'remove.keep-children': async (subject) => {
    await layer(subject, 'one', []);
    await layer(subject, 'two', ['one']);
    try {
      await subject.driver.remove({ key: 'one', keepChildren: true }, subject.ctx);
    } catch (error) {
      // Its children share what would be deleted.
      assert.equal(codeOf(error), 'conflict');
      return;
    }
    await layer(subject, 'one', []);
    await attach(subject, { key: 'two', chain: ['one'], readOnly: true });
    await subject.driver.detach({ key: 'two', attachmentId: 'test' }, subject.ctx);
    await refuses('conflict', subject.driver.remove({ key: 'one' }, subject.ctx));
    for (const key of ['two', 'one']) await subject.driver.remove({ key }, subject.ctx);
    assert.deepEqual(await list(subject.driver, subject.ctx), []);
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
