import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  attach,
  attachAndMount,
  casesOf,
  create,
  names,
  refuses,
  type Run,
  type VolumeCase,
  type VolumeUnderTest,
} from './conformance-subject.ts';

const mebibyte = 1 << 20;

const resizing: Readonly<Record<string, Run>> = {
  'resize.grow': async (subject) => {
    await create(subject, 'data', subject.options?.sized);
    for (let time = 0; time < 2; time += 1) await resize(subject, 'data', 64 * mebibyte);
    const usage = await subject.driver.usage?.({ name: 'data' }, subject.ctx);
    assert.ok(usage?.capacity === undefined || usage.capacity === 64 * mebibyte);
  },
  'resize.missing': async (subject) => refuses('not_found', resize(subject, 'nobody', mebibyte)),
  'resize.nonsense': async (subject) => {
    await create(subject, 'data', subject.options?.sized);
    for (const bytes of [0, -1]) await refuses('invalid_argument', resize(subject, 'data', bytes));
  },
};

const resizingMounted: Readonly<Record<string, Run>> = {
  'resize.shrink-refused': async (subject) => {
    await create(subject, 'data', subject.options?.sized);
    await resize(subject, 'data', 64 * mebibyte);
    await write(subject, 'data', Buffer.alloc(20 * mebibyte, 1));
    await refuses('conflict', resize(subject, 'data', 16 * mebibyte));
    await using mounted = await attachAndMount(subject, 'data', 'a2');
    assert.equal(readFileSync(join(mounted.path, 'file')).length, 20 * mebibyte);
  },
  'size.is-a-limit': async (subject) => {
    await create(subject, 'data', subject.options?.sized);
    await using mounted = await attachAndMount(subject, 'data', 'a1');
    assert.throws(() => writeFileSync(join(mounted.path, 'file'), Buffer.alloc(64 * mebibyte, 1)), { code: /^(ENOSPC|EDQUOT)$/ });
  },
};

const cloning: Readonly<Record<string, Run>> = {
  'clone.content': async (subject) => {
    await create(subject, 'from');
    await write(subject, 'from', 'cloned');
    const { volume } = await clone(subject, 'data', 'from');
    assert.equal(volume.name, 'data');
    assert.deepEqual(await names(subject), ['data', 'from']);
    await reads(subject, 'data', 'cloned');
  },
  'clone.is-independent': async (subject) => {
    await create(subject, 'from');
    await write(subject, 'from', 'before');
    await clone(subject, 'data', 'from');
    await write(subject, 'from', 'after');
    await reads(subject, 'data', 'before');
    await write(subject, 'data', 'mine');
    await reads(subject, 'from', 'after');
  },
  'clone.idempotent': async (subject) => {
    await create(subject, 'from');
    assert.deepEqual(await clone(subject, 'data', 'from'), await clone(subject, 'data', 'from'));
  },
  'clone.name-taken': async (subject) => {
    await create(subject, 'from');
    await create(subject, 'data');
    await refuses('already_exists', clone(subject, 'data', 'from'));
  },
  'clone.missing-source': async (subject) => {
    await refuses('not_found', clone(subject, 'data', 'nobody'));
    assert.deepEqual(await names(subject), []);
  },
  'clone.bad-name': async (subject) => {
    await create(subject, 'from');
    for (const name of ['', '../x', 'a/b']) await refuses('invalid_argument', clone(subject, name, 'from'));
    assert.deepEqual(await names(subject), ['from']);
  },
};

const snapshots: Readonly<Record<string, Run>> = {
  'snapshot.content': async (subject) => {
    await create(subject, 'data');
    await write(subject, 'data', 'then');
    const { volume } = await snapshot(subject, 'kept', 'data');
    assert.deepEqual([volume.name, volume.snapshotOf], ['kept', 'data']);
    assert.deepEqual((await subject.driver.stat({ name: 'kept' }, subject.ctx)).volume, volume);
    await write(subject, 'data', 'now');
    await reads(subject, 'kept', 'then');
  },
  'snapshot.is-never-writable': async (subject) => {
    await create(subject, 'data');
    await snapshot(subject, 'kept', 'data');
    await refuses('conflict', attach(subject, 'kept', 'a1'));
    if (subject.mount === undefined) return;
    await using mounted = await attachAndMount(subject, 'kept', 'a2', { readOnly: true });
    assert.throws(() => writeFileSync(join(mounted.path, 'file'), 'x'), { code: 'EROFS' });
  },
  'snapshot.outlives-its-source': async (subject) => {
    await create(subject, 'data');
    await write(subject, 'data', 'then');
    await snapshot(subject, 'kept', 'data');
    await subject.driver.remove({ name: 'data', force: false }, subject.ctx);
    await reads(subject, 'kept', 'then');
  },
  'snapshot.idempotent': async (subject) => {
    await create(subject, 'data');
    assert.deepEqual(await snapshot(subject, 'kept', 'data'), await snapshot(subject, 'kept', 'data'));
  },
  'snapshot.name-taken': async (subject) => {
    await create(subject, 'data');
    await create(subject, 'kept');
    await refuses('already_exists', snapshot(subject, 'kept', 'data'));
  },
  'snapshot.missing-source': async (subject) => {
    await refuses('not_found', snapshot(subject, 'kept', 'nobody'));
    assert.deepEqual(await names(subject), []);
  },
};

const renaming: Readonly<Record<string, Run>> = {
  'rename.content': async (subject) => {
    await create(subject, 'data', subject.options?.good);
    const before = (await subject.driver.stat({ name: 'data' }, subject.ctx)).volume;
    const { volume } = await rename(subject, 'data', 'other');
    assert.deepEqual([volume.name, volume.options, volume.created], ['other', before.options, before.created]);
    assert.deepEqual(await names(subject), ['other']);
    await refuses('not_found', subject.driver.stat({ name: 'data' }, subject.ctx));
    assert.deepEqual((await subject.driver.stat({ name: 'other' }, subject.ctx)).volume, volume);
  },
  'rename.data-kept': async (subject) => {
    await create(subject, 'data');
    await write(subject, 'data', 'kept');
    await rename(subject, 'data', 'other');
    await reads(subject, 'other', 'kept');
    await create(subject, 'data');
    assert.deepEqual(await names(subject), ['data', 'other']);
  },
  'rename.twice': async (subject) => {
    await create(subject, 'data');
    assert.deepEqual(await rename(subject, 'data', 'other'), await rename(subject, 'data', 'other'));
  },
  'rename.taken': async (subject) => {
    for (const name of ['data', 'other']) await create(subject, name);
    await refuses('already_exists', rename(subject, 'data', 'other'));
    assert.deepEqual(await names(subject), ['data', 'other']);
  },
  'rename.missing': async (subject) => refuses('not_found', rename(subject, 'nobody', 'other')),
  'rename.bad-name': async (subject) => {
    await create(subject, 'data');
    for (const name of ['', '../x', 'a/b', '..']) await refuses('invalid_argument', rename(subject, 'data', name));
    assert.deepEqual(await names(subject), ['data']);
  },
  'rename.while-attached': async (subject) => {
    await create(subject, 'data');
    await attach(subject, 'data', 'a1');
    await refuses('conflict', rename(subject, 'data', 'other'));
    await subject.driver.detach({ name: 'data', attachmentId: 'a1', last: true }, subject.ctx);
    await rename(subject, 'data', 'other');
  },
  'restart.renamed': async (subject) => {
    await create(subject, 'data');
    await rename(subject, 'data', 'other');
    const driver = await subject.restart();
    assert.deepEqual((await driver.stat({ name: 'other' }, subject.ctx)).volume.name, 'other');
  },
};

/** What drivers do to whole volumes, where they can. */
export const copyCases: readonly VolumeCase[] = [
  ...casesOf(resizing, ({ driver }) => (driver.resize === undefined ? 'has no resize' : undefined)),
  ...casesOf(resizingMounted, ({ driver, mount, options }) =>
    driver.resize === undefined
      ? 'has no resize'
      : mount === undefined || options?.sized === undefined
        ? 'no volume with a limit is mounted here'
        : undefined,
  ),
  ...casesOf(cloning, ({ driver }) => (driver.clone === undefined ? 'has no clone' : undefined)),
  ...casesOf(snapshots, ({ driver }) => (driver.snapshot === undefined ? 'has no snapshot' : undefined)),
  ...casesOf(renaming, ({ driver }) => (driver.rename === undefined ? 'has no rename' : undefined)),
];

async function write(subject: VolumeUnderTest, name: string, content: string | Buffer): Promise<void> {
  if (subject.mount === undefined) return;
  await using mounted = await attachAndMount(subject, name, 'writer');
  writeFileSync(join(mounted.path, 'file'), content);
}

async function reads(subject: VolumeUnderTest, name: string, content: string): Promise<void> {
  if (subject.mount === undefined) return;
  await using mounted = await attachAndMount(subject, name, 'reader', { readOnly: true });
  assert.equal(readFileSync(join(mounted.path, 'file'), 'utf8'), content);
}

async function resize({ driver, ctx }: VolumeUnderTest, name: string, bytes: number): Promise<void> {
  await driver.resize?.({ name, bytes }, ctx);
}

async function clone({ driver, ctx }: VolumeUnderTest, name: string, from: string) {
  return (await driver.clone?.({ name, from, options: {} }, ctx)) ?? assert.fail('no clone');
}

async function snapshot({ driver, ctx }: VolumeUnderTest, name: string, from: string) {
  return (await driver.snapshot?.({ name, from }, ctx)) ?? assert.fail('no snapshot');
}

async function rename({ driver, ctx }: VolumeUnderTest, name: string, to: string) {
  return (await driver.rename?.({ name, to }, ctx)) ?? assert.fail('no rename');
}
