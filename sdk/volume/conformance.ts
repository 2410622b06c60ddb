import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyCases } from './conformance-copies.ts';
import { attach, attachAndMount, casesOf, create, names, refuses, type Run, shown, type VolumeCase } from './conformance-subject.ts';

export type { MountedVolume, VolumeCase, VolumeUnderTest } from './conformance-subject.ts';

const always: Readonly<Record<string, Run>> = {
  'create.ok': async (subject) => {
    const { volume } = await create(subject, 'data');
    assert.equal(volume.name, 'data');
    assert.ok(['local', 'global'].includes(volume.scope));
  },
  'create.idempotent': async (subject) => {
    assert.deepEqual(await create(subject, 'data'), await create(subject, 'data'));
  },
  'create.no-name': async (subject) => refuses('invalid_argument', create(subject, '')),
  'create.max-name-255': async (subject) => {
    const name = 'n'.repeat(255);
    assert.equal((await create(subject, name)).volume.name, name);
    await refuses('invalid_argument', create(subject, 'n'.repeat(256)));
  },
  'create.bad-name': async (subject) => {
    for (const name of ['../x', 'a/b', '.hidden', 'a b', 'a\0b', '..']) await refuses('invalid_argument', create(subject, name));
    assert.deepEqual(await names(subject), []);
  },
  'create.unknown-option': async (subject) => {
    await assert.rejects(create(subject, 'data', { ...subject.options?.base, nosuchoption: '1' }), {
      code: 'invalid_argument',
      message: /nosuchoption/,
    });
    assert.deepEqual(await names(subject), []);
  },
  'remove.ok': async (subject) => {
    await create(subject, 'data');
    await subject.driver.remove({ name: 'data', force: false }, subject.ctx);
    await refuses('not_found', subject.driver.stat({ name: 'data' }, subject.ctx));
  },
  'remove.missing-ok': async ({ driver, ctx }) => driver.remove({ name: 'nobody', force: false }, ctx),
  'remove.while-attached': async (subject) => {
    await create(subject, 'data');
    await attach(subject, 'data', 'a1');
    await refuses('conflict', subject.driver.remove({ name: 'data', force: false }, subject.ctx));
    await subject.driver.detach({ name: 'data', attachmentId: 'a1', last: true }, subject.ctx);
    await subject.driver.remove({ name: 'data', force: false }, subject.ctx);
  },
  'remove.force': async (subject) => {
    await create(subject, 'data');
    await attach(subject, 'data', 'a1');
    await subject.driver.remove({ name: 'data', force: true }, subject.ctx);
    assert.deepEqual(await names(subject), []);
  },
  'stat.ok': async (subject) => {
    const { volume } = await create(subject, 'data');
    assert.deepEqual((await subject.driver.stat({ name: 'data' }, subject.ctx)).volume, volume);
  },
  'stat.missing': async ({ driver, ctx }) => refuses('not_found', driver.stat({ name: 'nobody' }, ctx)),
  'list.contains': async (subject) => {
    await create(subject, 'one');
    await create(subject, 'two');
    assert.deepEqual(await names(subject), ['one', 'two']);
  },
  'list.after-remove': async (subject) => {
    await create(subject, 'one');
    await create(subject, 'two');
    await subject.driver.remove({ name: 'one', force: false }, subject.ctx);
    assert.deepEqual(await names(subject), ['two']);
  },
  'list.1000': async (subject) => {
    for (let index = 0; index < 1_000; index += 1) await create(subject, `v${index}`);
    const before = performance.now();
    assert.equal((await names(subject)).length, 1_000);
    assert.ok(performance.now() - before < 2_000);
  },
  'attach.describes': async (subject) => {
    await create(subject, 'data');
    const { mounts } = (await attach(subject, 'data', 'a1')).attachment;
    assert.ok(mounts.length > 0);
    for (const { type, options = [] } of mounts) {
      assert.match(type, /^[a-z0-9._-]+$/);
      assert.ok(options.every((option) => !/[,\n\0]/.test(option)));
    }
  },
  'attach.repeat-same': async (subject) => {
    await create(subject, 'data');
    assert.deepEqual(await attach(subject, 'data', 'a1'), await attach(subject, 'data', 'a1'));
  },
  'attach.other-readonly': async (subject) => {
    await create(subject, 'data');
    await attach(subject, 'data', 'a1');
    await refuses('already_exists', attach(subject, 'data', 'a1', { readOnly: true }));
  },
  'attach.missing': async (subject) => refuses('not_found', attach(subject, 'nobody', 'a1')),
  'detach.ok': async (subject) => {
    await create(subject, 'data');
    await attach(subject, 'data', 'a1');
    await subject.driver.detach({ name: 'data', attachmentId: 'a1', last: true }, subject.ctx);
  },
  'detach.twice': async (subject) => {
    await create(subject, 'data');
    await attach(subject, 'data', 'a1');
    for (let time = 0; time < 2; time += 1) await subject.driver.detach({ name: 'data', attachmentId: 'a1', last: true }, subject.ctx);
  },
  'detach.never-attached': async (subject) => {
    await create(subject, 'data');
    await subject.driver.detach({ name: 'data', attachmentId: 'a1', last: true }, subject.ctx);
  },
  'detach.volume-gone': async ({ driver, ctx }) => driver.detach({ name: 'nobody', attachmentId: 'a1', last: true }, ctx),
  'context.size': async (subject) => {
    await create(subject, 'data');
    const { context = {} } = (await attach(subject, 'data', 'a1')).attachment;
    assert.ok(Buffer.byteLength(JSON.stringify(context)) <= 4_096);
  },
  'restart.volumes-kept': async (subject) => {
    const { volume } = await create(subject, 'data');
    const driver = await subject.restart();
    assert.deepEqual((await driver.stat({ name: 'data' }, subject.ctx)).volume, volume);
  },
  'restart.attached-then-detach': async (subject) => {
    await create(subject, 'data');
    const { context } = (await attach(subject, 'data', 'a1')).attachment;
    const driver = await subject.restart();
    const request = { name: 'data', attachmentId: 'a1', last: true, ...(context === undefined ? {} : { context }) };
    await driver.detach(request, subject.ctx);
    await driver.remove({ name: 'data', force: false }, subject.ctx);
  },
  'parallel.create-and-remove-16': async (subject) => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 16 }, (_, index) =>
        index % 2 === 0 ? create(subject, 'data') : subject.driver.remove({ name: 'data', force: false }, subject.ctx),
      ),
    );
    for (const outcome of outcomes) assert.equal(outcome.status, 'fulfilled');
    await subject.driver.remove({ name: 'data', force: false }, subject.ctx);
    assert.deepEqual(await names(subject), []);
  },
  'parallel.same-volume-16': async (subject) => {
    const answers = await Promise.all(Array.from({ length: 16 }, () => create(subject, 'data')));
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.deepEqual(await names(subject), ['data']);
  },
};

const withOptions: Readonly<Record<string, Run>> = {
  'create.conflict': async (subject) => {
    await create(subject, 'data', subject.options?.good);
    await refuses('already_exists', create(subject, 'data'));
  },
  'options.shown-in-inspect': async (subject) => {
    await create(subject, 'data', subject.options?.good);
    assert.deepEqual((await subject.driver.stat({ name: 'data' }, subject.ctx)).volume.options, shown(subject));
  },
  'restart.options-kept': async (subject) => {
    await create(subject, 'data', subject.options?.good);
    const driver = await subject.restart();
    assert.deepEqual((await driver.stat({ name: 'data' }, subject.ctx)).volume.options, shown(subject));
  },
};

const secretly: Readonly<Record<string, Run>> = {
  'create.secret-not-in-stat': async (subject) => {
    const secrets = Object.fromEntries((subject.options?.secret ?? []).map((name) => [name, 'kept-to-itself']));
    await create(subject, 'data', { ...subject.options?.base, ...secrets });
    const told = [await subject.driver.stat({ name: 'data' }, subject.ctx), await Array.fromAsync(subject.driver.list({}, subject.ctx))];
    assert.doesNotMatch(JSON.stringify(told), /kept-to-itself/);
  },
  'create.secret-idempotent': async (subject) => {
    const secrets = Object.fromEntries((subject.options?.secret ?? []).map((name) => [name, 'kept-to-itself']));
    const make = () => create(subject, 'data', { ...subject.options?.base, ...secrets });
    assert.deepEqual(await make(), await make());
  },
};

const refusing =
  (which: 'missing' | 'malformed'): Run =>
  async (subject) => {
    await refuses('invalid_argument', create(subject, 'data', subject.options?.[which]));
    assert.deepEqual(await names(subject), []);
  };

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

/** What every volume driver must do, by named case; each case wants a driver without volumes. */
export const volumeCases: readonly VolumeCase[] = [
  ...casesOf(always, () => undefined),
  ...casesOf(withOptions, ({ options }) => (options?.good === undefined ? 'takes no options' : undefined)),
  ...casesOf(secretly, ({ options }) => ((options?.secret?.length ?? 0) === 0 ? 'has no secret options' : undefined)),
  ...casesOf({ 'create.missing-option': refusing('missing') }, ({ options }) =>
    options?.missing === undefined ? 'needs no option' : undefined,
  ),
  ...casesOf({ 'create.option-type': refusing('malformed') }, ({ options }) =>
    options?.malformed === undefined ? 'takes any value' : undefined,
  ),
  ...casesOf(mounting, ({ mount }) => (mount === undefined ? 'nothing is mounted here' : undefined)),
  ...copyCases,
  ...casesOf(measuring, ({ driver }) => (driver.usage === undefined ? 'has no usage' : undefined)),
];
