import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attach, attachAndMount, casesOf, create, refuses, type Run, type VolumeCase } from './conformance-subject.ts';

const mounting: Readonly<Record<string, Run>> = {
  'attach.mounts-work': async (subject) => {
    await create(subject, 'data');
    await using mounted = await attachAndMount(subject, 'data', 'a1');
    writeFileSync(join(mounted.path, 'file'), 'content');
    assert.equal(readFileSync(join(mounted.path, 'file'), 'utf8'), 'content');
  },
  'attach.two-consumers': async (subject) => {
    await create(subject, 'data');
    await using one = await attachAndMount(subject, 'data', 'a1');
    writeFileSync(join(one.path, 'file'), 'from one');
    await using two = await attachAndMount(subject, 'data', 'a2');
    assert.equal(readFileSync(join(two.path, 'file'), 'utf8'), 'from one');
  },
  'attach.data-persists-over-detach': async (subject) => {
    await create(subject, 'data');
    {
      await using mounted = await attachAndMount(subject, 'data', 'a1');
      writeFileSync(join(mounted.path, 'file'), 'kept');
    }
    await using again = await attachAndMount(subject, 'data', 'a2');
    assert.equal(readFileSync(join(again.path, 'file'), 'utf8'), 'kept');
  },
  'attach.read-only': async (subject) => {
    await create(subject, 'data');
    {
      await using mounted = await attachAndMount(subject, 'data', 'a1');
      writeFileSync(join(mounted.path, 'file'), 'written before');
    }
    await using mounted = await attachAndMount(subject, 'data', 'a2', { readOnly: true });
    assert.equal(readFileSync(join(mounted.path, 'file'), 'utf8'), 'written before');
  },
  'detach.last-flag': async (subject) => {
    await create(subject, 'data');
    await using stays = await attachAndMount(subject, 'data', 'a2');
    {
      await using _goes = await attachAndMount(subject, 'data', 'a1', {}, { last: false });
    }
    writeFileSync(join(stays.path, 'file'), 'still here');
    assert.equal(readFileSync(join(stays.path, 'file'), 'utf8'), 'still here');
  },
  'remove.frees-data': async (subject) => {
    await create(subject, 'data');
    {
      await using mounted = await attachAndMount(subject, 'data', 'a1');
      writeFileSync(join(mounted.path, 'file'), 'old');
    }
    await subject.driver.remove({ name: 'data', force: false }, subject.ctx);
    await create(subject, 'data');
    await using fresh = await attachAndMount(subject, 'data', 'a2');
    assert.throws(() => readFileSync(join(fresh.path, 'file')), { code: 'ENOENT' });
  },
};

const measuring: Readonly<Record<string, Run>> = {
  'usage.sane': async (subject) => {
    await create(subject, 'data');
    const empty = await subject.driver.usage?.({ name: 'data' }, subject.ctx);
    assert.ok(empty && empty.bytes >= 0);
    if (subject.mount === undefined) return;
    await using mounted = await attachAndMount(subject, 'data', 'a1');
    writeFileSync(join(mounted.path, 'file'), Buffer.alloc(1_000_000));
    const full = await subject.driver.usage?.({ name: 'data' }, subject.ctx);
    assert.ok(full && full.bytes - empty.bytes >= 1_000_000);
  },
  'usage.missing': async ({ driver, ctx }) => {
    await assert.rejects(async () => driver.usage?.({ name: 'nobody' }, ctx), { code: 'not_found' });
  },
};

const withoutBackend: Readonly<Record<string, Run>> = {
  'backend-down.error-code': async (subject) => {
    await create(subject, 'data');
    {
      await using _stopped = await subject.stopBackend?.();
      await refuses('unavailable', create(subject, 'other'));
      await refuses('unavailable', attach(subject, 'data', 'a1'));
    }
    await attach(subject, 'data', 'a1');
    await subject.driver.detach({ name: 'data', attachmentId: 'a1', last: true }, subject.ctx);
  },
};

/** What is written to volumes, how much it is, and what happens when their backend is away. */
export const mountingCases: readonly VolumeCase[] = [
  ...casesOf(mounting, ({ mount }) => (mount === undefined ? 'nothing is mounted here' : undefined)),
  ...casesOf(withoutBackend, ({ stopBackend }) => (stopBackend === undefined ? 'its backend cannot be taken away here' : undefined)),
  ...casesOf(measuring, ({ driver }) => (driver.usage === undefined ? 'has no usage' : undefined)),
];
