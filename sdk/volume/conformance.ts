import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { copyCases } from './conformance-copies.ts';
import { mountingCases } from './conformance-mounting.ts';
import { attach, casesOf, create, names, refuses, type Run, separated, shown, type VolumeCase } from './conformance-subject.ts';

export type { MountedVolume, VolumeCase, VolumeUnderTest } from './conformance-subject.ts';

/** A driver that is told to stop has this long. */
const cancelledMs = 5_000;

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
  'attach.slow-backend-cancelled': async (subject) => {
    await create(subject, 'data');
    const given = { name: 'data', attachmentId: 'a1', readOnly: false, ...separated(subject, subject.options?.base ?? {}) };
    const attached = subject.driver.attach(given, { ...subject.ctx, signal: AbortSignal.timeout(1) });
    const outcome = await Promise.race([Promise.allSettled([attached]), setTimeout(cancelledMs, undefined, { ref: false })]);
    assert.ok(outcome !== undefined, `attach goes on ${cancelledMs} ms after its caller gave up`);
    await subject.driver.detach({ name: 'data', attachmentId: 'a1', last: true }, subject.ctx);
    await subject.driver.remove({ name: 'data', force: false }, subject.ctx);
  },
  'context.roundtrip-and-size': async (subject) => {
    await create(subject, 'data');
    const first = (await attach(subject, 'data', 'a1')).attachment;
    const { context = {} } = first;
    assert.ok(Buffer.byteLength(JSON.stringify(context)) <= 4_096);
    // It is all that a driver knows of it after a restart, and comes back as it was.
    const driver = await subject.restart();
    for (let time = 0; time < 2; time += 1) await driver.detach({ name: 'data', attachmentId: 'a1', context, last: true }, subject.ctx);
    await driver.remove({ name: 'data', force: false }, subject.ctx);
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
  ...mountingCases,
  ...copyCases,
];
