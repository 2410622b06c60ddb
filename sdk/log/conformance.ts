import assert from 'node:assert/strict';
import type { Ctx } from '../types/index.ts';
import { reading } from './conformance-reading.ts';
import { answersOf, lines, openStream, read, readTexts } from './conformance-stream.ts';
import type { ContainerInfo, LogDriver } from './contract.ts';

/** What a driver must be able to do for a case to make sense. `read`: it gives back what it stored; `refuse`: its `read` says no. */
export type LogAbility = 'read' | 'refuse' | 'purge' | 'attributes';

/** A driver under test. `restart` ends it and opens it again on the same durable state; `container` makes a new one with a folder. */
export interface LogUnderTest {
  readonly driver: LogDriver;
  readonly ctx: Ctx;
  readonly abilities: ReadonlySet<LogAbility>;
  /** Options that every stream of this driver needs. */
  readonly options?: Readonly<Record<string, string>>;
  readonly container: (facts?: Partial<ContainerInfo>) => ContainerInfo;
  readonly restart: () => Promise<LogDriver>;
}
export interface LogCase {
  readonly name: string;
  readonly needs: readonly LogAbility[];
  readonly run: (subject: LogUnderTest) => Promise<void>;
}

type Run = LogCase['run'];

const always: Readonly<Record<string, Run>> = {
  'open.ok': async (subject) => {
    await subject.driver.validate({ options: subject.options ?? {} }, subject.ctx);
    await using stream = openStream(subject);
    await stream.send(lines('one'));
  },
  'open.unknown-option': async ({ driver, ctx, options }) => {
    await assert.rejects(driver.validate({ options: { ...options, 'no-such-option': '1' } }, ctx), {
      code: 'invalid_argument',
      message: /no-such-option/,
    });
  },
  'open.bad-option-value': async ({ driver, ctx, options }) => {
    for (const bad of [
      { mode: 'sometimes' },
      { tag: '{{.NoSuchField}}' },
      { 'labels-regex': '(' },
      { mode: 'non-blocking', 'max-buffer-size': 'much' },
    ])
      await assert.rejects(driver.validate({ options: { ...options, ...(bad as Record<string, string>) } }, ctx), {
        code: 'invalid_argument',
      });
  },
  'close.at-once': async (subject) => {
    await openStream(subject).close();
  },
  'write.ack-monotonic': async (subject) => {
    await using stream = openStream(subject);
    for (let index = 0; index < 20; index += 1) await stream.send(lines(`line ${index}`));
    assert.deepEqual(
      stream.acks,
      stream.acks.toSorted((a, b) => a - b),
    );
    assert.equal(stream.acks.at(-1), 20);
  },
  'write.dropped-before-reported': async (subject) => {
    await using stream = openStream(subject);
    await stream.send(lines('after the gap'), { droppedBefore: 7 });
    assert.equal(stream.acks.at(-1), 1);
  },
  'close.flush-within-deadline': async (subject) => {
    const stream = openStream(subject);
    // Whether it was stored is told by close.
    stream.send(lines('a', 'b', 'c')).catch(() => {});
    const before = performance.now();
    await stream.close(1_000);
    assert.ok(performance.now() - before < 1_500);
    assert.equal(stream.acks.at(-1), 3);
  },
  'parallel.200-streams': async (subject) => {
    const streams = Array.from({ length: 200 }, () => openStream(subject));
    await Promise.all(streams.map(async (stream) => stream.send(lines('x', 'y'))));
    await Promise.all(streams.map(async (stream) => stream.close()));
    assert.ok(streams.every(({ acks }) => acks.at(-1) === 2));
  },
};

const attributes: Readonly<Record<string, Run>> = {
  'labels-env-tag-template': async (subject) => {
    const container = subject.container({ labels: { team: 'a', other: 'b' }, env: ['COLOUR=red', 'SIZE=1', 'X=2'], name: 'web' });
    const options = { labels: 'team,missing', env: 'COLOUR', 'env-regex': '^SI', tag: '{{.Name}}/{{.ID}}' };
    await subject.driver.validate({ options }, subject.ctx);
    const stream = openStream(subject, { container, options });
    await stream.send(lines('x'));
    await stream.close();
    const [first] = await answersOf(subject, container, { options });
    assert.deepEqual(first?.attributes, { COLOUR: 'red', SIZE: '1', tag: `web/${container.id.slice(0, 12)}`, team: 'a' });
    assert.deepEqual(await readTexts(subject, container, { options }), ['x']);
  },
};

const purging: Readonly<Record<string, Run>> = {
  purge: async (subject) => {
    const stream = openStream(subject);
    await stream.send(lines('x'));
    await stream.close();
    await subject.driver.purge?.(stream, subject.ctx);
    await subject.driver.purge?.(stream, subject.ctx);
    if (subject.abilities.has('read')) assert.deepEqual(await readTexts(subject, stream.container), []);
  },
};

const refusing: Readonly<Record<string, Run>> = {
  'read.refused': async (subject) => {
    await assert.rejects(read(subject, subject.container()), { code: 'not_implemented' });
  },
};

/** What every log driver must do, by named case; take those whose needs the driver has. */
export const logCases: readonly LogCase[] = [
  ...casesOf(always, []),
  ...casesOf(reading, ['read']),
  ...casesOf(attributes, ['read', 'attributes']),
  ...casesOf(purging, ['purge']),
  ...casesOf(refusing, ['refuse']),
];

function casesOf(runs: Readonly<Record<string, Run>>, needs: readonly LogAbility[]): readonly LogCase[] {
  return Object.entries(runs).map(([name, run]) => ({ name, needs, run }));
}
