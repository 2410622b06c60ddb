import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonLines } from '../../../sdk/client/json-lines.ts';
import { demultiplex } from '../../../sdk/client/stdcopy.ts';

const frame = (type: number, text: string): Buffer => {
  const data = Buffer.from(text);
  const header = Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
};

test('demultiplex() gives the same output however the stream is cut', async () => {
  const parts = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.string({ maxLength: 20 })), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(parts, fc.array(fc.nat(30)), async (frames, cuts) => {
      const whole = Buffer.concat(frames.map(([type, text]) => frame(type, text)));
      const output = { stdout: '', stderr: '' };
      const bytes = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
      for await (const { source, data } of demultiplex(cutAt(whole, cuts))) bytes[source].push(Buffer.from(data));
      for (const source of ['stdout', 'stderr'] as const) output[source] = Buffer.concat(bytes[source]).toString();
      const expected = (wanted: number) => frames.flatMap(([type, text]) => (type === wanted ? [text] : [])).join('');
      assert.deepEqual(output, { stdout: Buffer.from(expected(1)).toString(), stderr: Buffer.from(expected(2)).toString() });
    }),
    { numRuns: 200 },
  );
});

test('demultiplex() joins neighbouring frames of one source', async () => {
  const stream = cutAt(Buffer.concat([frame(1, 'a\n'), frame(1, 'b\n'), frame(2, 'c\n')]), []);
  assert.deepEqual(await Array.fromAsync(demultiplex(stream), ({ source, data }) => [source, data.toString()]), [
    ['stdout', 'a\nb\n'],
    ['stderr', 'c\n'],
  ]);
});

const broken: readonly (readonly [name: string, bytes: Buffer, message: RegExp])[] = [
  ['an unknown type', frame(7, 'x'), /unknown type 7/],
  ['half a header', Buffer.from([1, 0, 0]), /middle of a frame/],
  ['half a payload', frame(1, 'hello').subarray(0, 10), /middle of a frame/],
  ["the server's failure", frame(3, 'disk on fire\n'), /^GantryError: disk on fire$/],
];
for (const [name, bytes, message] of broken) {
  test(`demultiplex() throws for ${name}`, async () =>
    assert.rejects(Array.fromAsync(demultiplex(cutAt(bytes, []))), (error) => message.test(String(error))));
}

test('jsonLines() gives the same values however the stream is cut, and takes other line ends', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 5 }),
      fc.array(fc.nat(40)),
      fc.constantFrom('\n', '\r\n', '\n\n'),
      async (values, cuts, end) => {
        const text = values.map((value) => JSON.stringify(value) + end).join('');
        assert.deepEqual(await Array.fromAsync(jsonLines(cutAt(Buffer.from(text), cuts))), JSON.parse(JSON.stringify(values)));
      },
    ),
    { numRuns: 200 },
  );
});

test('jsonLines() refuses what is not JSON, shortly', async () => {
  await assert.rejects(
    Array.fromAsync(jsonLines(cutAt(Buffer.from(`<html>${'x'.repeat(1000)}\n`), []))),
    (error) => String(error).length < 250,
  );
});

async function* cutAt(whole: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const length of cuts) {
    if (at >= whole.length) return;
    yield whole.subarray(at, at + length);
    at += length;
  }
  if (at < whole.length) yield whole.subarray(at);
}
