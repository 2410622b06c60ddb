import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ctx } from '../types/index.ts';
import type { ContainerInfo, Entry, LogDriver, ReadRequest, WriteRequest } from './contract.ts';

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

const reading: Readonly<Record<string, Run>> = {
  'write.order': async (subject) => {
    const texts = Array.from({ length: 2_500 }, (_, index) => `line ${index}`);
    const stream = openStream(subject);
    for (let at = 0; at < texts.length; at += 500) await stream.send(lines(...texts.slice(at, at + 500)));
    await stream.close();
    assert.deepEqual(await readTexts(subject, stream.container), texts);
  },
  'write.stdout-stderr-tagged': async (subject) => {
    const entries = [entry('out'), entry('err', { source: 'stderr' }), entry('out again')];
    const stream = openStream(subject);
    await stream.send(entries);
    await stream.close();
    assert.deepEqual(
      (await read(subject, stream.container)).map(({ source }) => source),
      ['stdout', 'stderr', 'stdout'],
    );
    assert.deepEqual(await readTexts(subject, stream.container, { stdout: false }), ['err']);
  },
  'write.partial-lines-reassembled': async (subject) => {
    const stream = openStream(subject);
    await stream.send([entry('begin ', { partial: true }), entry('middle ', { partial: true }), entry('end')]);
    await stream.close();
    const found = await read(subject, stream.container);
    assert.equal(found.map(({ line, partial }) => `${line.toString()}${partial ? '' : '\n'}`).join(''), 'begin middle end\n');
  },
  'write.binary-bytes': async (subject) => {
    const text = '\u0000\u0001\t\r\u001b[1m"quoted" \\ <&> \u007f é \u2028 \u{1f600}';
    const stream = openStream(subject);
    await stream.send([entry(text), { ...entry(''), line: Buffer.from([0x41, 0xff, 0x42]) }]);
    await stream.close();
    const [first, second] = await read(subject, stream.container);
    assert.equal(first?.line.toString(), text);
    // A driver whose format is text may replace what is no text, and nothing else.
    assert.ok(['41ff42', '41efbfbd42'].includes(second?.line.toString('hex') ?? ''), second?.line.toString('hex'));
  },
  'write.16KiB-line': async (subject) => {
    const text = 'x'.repeat(16_384);
    const stream = openStream(subject);
    await stream.send(lines(text));
    await stream.close();
    assert.deepEqual(await readTexts(subject, stream.container), [text]);
  },
  'write.1MiB-line-split': async (subject) => {
    const piece = Buffer.alloc(16_384, 'ab');
    const pieces = Array.from({ length: 64 }, (_, index) => ({ ...entry(''), line: piece, partial: index < 63 }));
    const stream = openStream(subject);
    for (let at = 0; at < 64; at += 16) await stream.send(pieces.slice(at, at + 16));
    await stream.close();
    const found = await read(subject, stream.container);
    assert.equal(Buffer.concat(found.map(({ line }) => line)).length, 64 * 16_384);
    assert.equal(found.at(-1)?.partial, false);
  },
  'write.resume-after-break-no-loss': async (subject) => {
    const first = openStream(subject);
    await first.send(lines('1', '2', '3'));
    await first.breakOff();
    const second = openStream(subject, { container: first.container });
    await second.send(lines('4', '5'), { firstSeq: 4 });
    await second.close();
    assert.deepEqual(await readTexts(subject, first.container), ['1', '2', '3', '4', '5']);
  },
  'write.duplicate-batch-tolerated': async (subject) => {
    const first = openStream(subject);
    await first.send(lines('1', '2', '3'));
    await first.breakOff();
    const second = openStream(subject, { container: first.container });
    await second.send(lines('2', '3', '4'), { firstSeq: 2 });
    await second.close();
    assert.deepEqual(await readTexts(subject, first.container), ['1', '2', '3', '4']);
  },
  'write.new-stream-counts-anew': async (subject) => {
    const first = openStream(subject);
    await first.send(lines('1', '2'));
    await first.close();
    const second = openStream(subject, { container: first.container, streamId: `${first.container.id}:again` });
    await second.send(lines('3', '4'), { firstSeq: 1 });
    await second.close();
    assert.deepEqual(await readTexts(subject, first.container), ['1', '2', '3', '4']);
  },
  'write.10k-lines-per-s': async (subject) => {
    const batch = lines(...Array.from({ length: 1_000 }, (_, index) => `${index} ${'x'.repeat(90)}`));
    const stream = openStream(subject);
    const before = performance.now();
    for (let index = 0; index < 10; index += 1) await stream.send(batch);
    await stream.close();
    const durationMs = performance.now() - before;
    assert.ok(durationMs < 1_000, `10,000 lines took ${durationMs.toFixed()} ms`);
    assert.equal((await read(subject, stream.container)).length, 10_000);
  },
  'read.empty': async (subject) => {
    assert.deepEqual(await read(subject, subject.container()), []);
  },
  'read.tail-n': async (subject) => {
    const stream = openStream(subject);
    await stream.send(lines('1', '2', '3', '4', '5'));
    await stream.close();
    const tails = await Promise.all([0, 1, 3, 5, 9].map((tail) => readTexts(subject, stream.container, { tail })));
    assert.deepEqual(tails, [[], ['5'], ['3', '4', '5'], ['1', '2', '3', '4', '5'], ['1', '2', '3', '4', '5']]);
  },
  'read.since-until': async (subject) => {
    const stream = openStream(subject);
    await stream.send([1, 2, 3, 4].map((seconds) => entry(String(seconds), { time: { seconds, nanos: 500 } })));
    await stream.close();
    const query = { since: { seconds: 2, nanos: 0 }, until: { seconds: 3, nanos: 500 } };
    assert.deepEqual(await readTexts(subject, stream.container, query), ['2', '3']);
    assert.deepEqual(await readTexts(subject, stream.container, { since: { seconds: 3, nanos: 501 } }), ['4']);
  },
  'read.follow': async (subject) => {
    const stream = openStream(subject);
    await stream.send(lines('before'));
    const following = readTexts(subject, stream.container, { follow: true });
    for (let index = 0; index < 50; index += 1) await stream.send(lines(`${index}`));
    await stream.close();
    // Nothing that was written before the end may be missing.
    assert.deepEqual(await following, ['before', ...Array.from({ length: 50 }, (_, index) => `${index}`)]);
  },
  'read.follow-tail-0': async (subject) => {
    const stream = openStream(subject);
    await stream.send(lines('before'));
    const seen: string[] = [];
    const following = collect(subject, stream.container, { follow: true, tail: 0 }, seen);
    await sleep(20);
    await stream.send(lines('after'));
    await stream.close();
    await following;
    assert.deepEqual(seen, ['after']);
  },
  'read.follow-cancel': async (subject) => {
    await using stream = openStream(subject);
    await stream.send(lines('one'));
    const left = new AbortController();
    const following = collect({ ...subject, ctx: { ...subject.ctx, signal: left.signal } }, stream.container, { follow: true }, []);
    await sleep(20);
    left.abort(new DOMException('enough', 'AbortError'));
    await assert.rejects(following, { name: 'AbortError' });
  },
  'read.answers-at-once': async (subject) => {
    await using stream = openStream(subject);
    await stream.settle();
    const answers = subject.driver.read?.(requestFor(stream.container, { follow: true }), subject.ctx)[Symbol.asyncIterator]();
    assert.deepEqual((await answers?.next())?.value?.entries, []);
    await Promise.all([answers?.return?.(), stream.close()]);
  },
  'time.ns-precision': async (subject) => {
    const times = [
      { seconds: 1_700_000_000, nanos: 123_456_789 },
      { seconds: 1_700_000_000, nanos: 120_000_000 },
      { seconds: 1_700_000_001, nanos: 0 },
      { seconds: 1_700_000_001, nanos: 1 },
    ];
    const stream = openStream(subject);
    await stream.send(times.map((time) => entry('x', { time })));
    await stream.close();
    assert.deepEqual(
      (await read(subject, stream.container)).map(({ time }) => time),
      times,
    );
  },
  'restart.mid-stream': async (subject) => {
    const first = openStream(subject);
    await first.send(lines('1', '2'));
    await first.breakOff();
    const driver = await subject.restart();
    const second = openStream({ ...subject, driver }, { container: first.container });
    await second.send(lines('2', '3'), { firstSeq: 2 });
    await second.close();
    assert.deepEqual(await readTexts({ ...subject, driver }, first.container), ['1', '2', '3']);
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

interface SendOptions {
  readonly firstSeq?: number;
  readonly droppedBefore?: number;
}

/** One `write` call, driven by hand. */
interface Stream extends AsyncDisposable {
  readonly container: ContainerInfo;
  readonly acks: readonly number[];
  /** Resolves when the batch is acknowledged. */
  send(entries: readonly Entry[], options?: SendOptions): Promise<void>;
  /** Resolves when the driver waits for more. */
  settle(): Promise<void>;
  close(flushDeadlineMs?: number): Promise<void>;
  /** As when the engine dies: no close. */
  breakOff(): Promise<void>;
}

interface StreamOptions {
  readonly container?: ContainerInfo;
  readonly options?: Readonly<Record<string, string>>;
  readonly streamId?: string;
}

function openStream({ driver, ctx, container: make, options: base = {} }: LogUnderTest, given: StreamOptions = {}): Stream {
  const { container = make(), options = base, streamId = `${container.id}:driver:1` } = given;
  const queue: WriteRequest[] = [{ kind: 'open', streamId, container, options }];
  const acks: number[] = [];
  let isOver = false;
  let wake = (): void => {};
  let sent = 0;
  const changed = new Set<() => void>();
  const tell = (): void => changed.forEach((callback) => callback());
  async function* requests(): AsyncGenerator<WriteRequest> {
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) yield next;
      else if (isOver) return;
      else {
        tell();
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  }
  const answering = (async () => {
    for await (const { ackedSeq } of driver.write(requests(), ctx)) {
      acks.push(ackedSeq);
      tell();
    }
  })();
  answering.catch(() => {});
  const failed = answering.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  const until = async (test: () => boolean): Promise<void> => {
    while (!test()) {
      const news = Promise.withResolvers<void>();
      changed.add(news.resolve);
      await Promise.race([news.promise, failed]);
      changed.delete(news.resolve);
    }
  };
  const end = async (): Promise<void> => {
    isOver = true;
    wake();
    await answering;
  };
  return {
    container,
    acks,
    async send(entries, { firstSeq = sent + 1, droppedBefore = 0 } = {}) {
      queue.push({ kind: 'batch', firstSeq, entries, droppedBefore });
      sent = firstSeq + entries.length - 1;
      wake();
      const seq = sent;
      await until(() => acks.some((ack) => ack >= seq));
    },
    settle: () => until(() => queue.length === 0),
    async close(flushDeadlineMs = 5_000) {
      queue.push({ kind: 'close', flushDeadlineMs });
      await end();
    },
    breakOff: end,
    [Symbol.asyncDispose]: end,
  };
}

function entry(text: string, facts: Partial<Entry> = {}): Entry {
  return { time: { seconds: 1_700_000_000, nanos: 1 }, source: 'stdout', line: Buffer.from(text), partial: false, ...facts };
}

function lines(...texts: readonly string[]): readonly Entry[] {
  return texts.map((text) => entry(text));
}

function requestFor(container: ContainerInfo, query: Partial<ReadRequest>): ReadRequest {
  return { container, options: {}, follow: false, stdout: true, stderr: true, ...query };
}

async function answersOf({ driver, ctx }: LogUnderTest, container: ContainerInfo, query: Partial<ReadRequest> = {}) {
  return Array.fromAsync(driver.read?.(requestFor(container, query), ctx) ?? assert.fail('the driver has no read'));
}

async function read(subject: LogUnderTest, container: ContainerInfo, query: Partial<ReadRequest> = {}): Promise<readonly Entry[]> {
  return (await answersOf(subject, container, query)).flatMap(({ entries }) => entries);
}

async function readTexts(subject: LogUnderTest, container: ContainerInfo, query: Partial<ReadRequest> = {}): Promise<readonly string[]> {
  return (await read(subject, container, query)).map(({ line }) => line.toString());
}

async function collect(subject: LogUnderTest, container: ContainerInfo, query: Partial<ReadRequest>, into: string[]): Promise<void> {
  const { driver, ctx } = subject;
  for await (const { entries } of driver.read?.(requestFor(container, query), ctx) ?? []) {
    into.push(...entries.map(({ line }) => line.toString()));
  }
}
