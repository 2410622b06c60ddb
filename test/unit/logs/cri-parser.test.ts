import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Batch, CriParser, maxLineBytes } from '../../../core/logs/cri-parser.ts';

const everything = { maxEntries: 1e9, maxBytes: 1e9 };
const stamp = '2026-01-01T02:00:00.123456789+02:00';
const time = { seconds: Date.UTC(2026, 0, 1) / 1e3, nanos: 123_456_789 };

test('CriParser.parse reads lines, joins pieces by stream and keeps the time of the first piece', () => {
  const text = [
    `${stamp} stdout F whole`,
    `${stamp} stdout P begin `,
    '2026-01-01T02:00:01.000000001+02:00 stderr F in between',
    '2026-01-01T02:00:02.000000000+02:00 stdout F end',
    `${stamp} stdout F `,
    '',
  ].join('\n');
  assert.deepEqual(parse(text), [
    { time, source: 'stdout', line: 'whole', partial: false },
    { time: { seconds: time.seconds + 1, nanos: 1 }, source: 'stderr', line: 'in between', partial: false },
    { time, source: 'stdout', line: 'begin end', partial: false },
    { time, source: 'stdout', line: '', partial: false },
  ]);
});

test('CriParser.parse waits for the end of a line and stops at its limits', () => {
  const parser = new CriParser();
  const chunk = Buffer.from(`${stamp} stdout F one\n${stamp} stdout F two\n${stamp} stdout F thr`);
  const batch: Batch = { entries: [], bytes: 0 };
  const first = parser.parse(chunk, 0, batch, { maxEntries: 1, maxBytes: 100 });
  assert.deepEqual([batch.entries.length, first], [1, 49]);
  assert.equal(parser.parse(chunk, first, batch, { maxEntries: 100, maxBytes: 100 }), 98);
  assert.deepEqual(
    batch.entries.map(({ line }) => line.toString()),
    ['one', 'two'],
  );
});

test('CriParser.parse cuts a 1 MiB line into entries of exactly 16 KiB, wherever the monitor cut it', () => {
  const line = Buffer.alloc(1024 * 1024 + 5, 'abcdefg').toString();
  const pieces: string[] = [];
  for (let at = 0; at < line.length; at += 8_000)
    pieces.push(`${stamp} stdout ${at + 8_000 < line.length ? 'P' : 'F'} ${line.slice(at, at + 8_000)}`);
  const found = parse(`${pieces.join('\n')}\n`);
  assert.equal(found.map((entry) => entry.line).join(''), line);
  assert.deepEqual(
    found.map(({ line: text, partial }) => [text.length, partial]),
    [...Array.from({ length: 64 }, () => [maxLineBytes, true]), [5, false]],
  );
});

test('CriParser.parse leaves out what is not in the format, and counts it', () => {
  const parser = new CriParser();
  const batch: Batch = { entries: [], bytes: 0 };
  const text = `torn\n\n${stamp} stdout X what\n\0\0\0\n${stamp} stdout F good\n`;
  assert.equal(parser.parse(Buffer.from(text), 0, batch, everything), text.length);
  assert.deepEqual([batch.entries.length, parser.malformed], [1, 4]);
});

test('CriParser.flush gives lines that never ended as partial', () => {
  const parser = new CriParser();
  const batch: Batch = { entries: [], bytes: 0 };
  parser.parse(Buffer.from(`${stamp} stdout P prompt> \n`), 0, batch, everything);
  assert.equal(batch.entries.length, 0);
  parser.flush(batch);
  assert.deepEqual(
    batch.entries.map(({ line, partial }) => [line.toString(), partial]),
    [['prompt> ', true]],
  );
});

test('CriParser goes on from `pending` with the same entries, wherever it was interrupted', () => {
  const piece = fc.record({
    source: fc.constantFrom('stdout', 'stderr'),
    flag: fc.constantFrom('P', 'F'),
    text: fc.string({ maxLength: 20_000, unit: fc.constantFrom('a', 'b', ' ') }),
  });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(), (pieces, at) => {
      const text = pieces.map(({ source, flag, text: content }) => `${stamp} ${source} ${flag} ${content}\n`).join('');
      const cut = text.indexOf('\n', at % (text.length + 1)) + 1;
      const first = new CriParser();
      const batch: Batch = { entries: [], bytes: 0 };
      first.parse(Buffer.from(text.slice(0, cut)), 0, batch, everything);
      new CriParser(first.pending).parse(Buffer.from(text.slice(cut)), 0, batch, everything);
      assert.deepEqual(batch.entries.map(plain), parse(text));
    }),
    { numRuns: 100 },
  );
});

function parse(text: string) {
  const batch: Batch = { entries: [], bytes: 0 };
  new CriParser().parse(Buffer.from(text), 0, batch, everything);
  return batch.entries.map(plain);
}

function plain({ line, ...rest }: Batch['entries'][number]) {
  return { ...rest, line: line.toString() };
}
