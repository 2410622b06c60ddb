import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { collect, entry, lines, openStream, read, readTexts, requestFor } from './conformance-stream.ts';
import type { LogUnderTest } from './conformance.ts';

/** For drivers that give back what they stored. */
export const reading: Readonly<Record<string, (subject: LogUnderTest) => Promise<void>>> = {
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
