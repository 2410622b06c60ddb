import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lines } from '../../../core/plugin-launch/output/lines.ts';
import { RateLimit } from '../../../core/plugin-launch/output/rate-limit.ts';

const rows: readonly (readonly [title: string, chunks: readonly (string | Buffer)[], lines: readonly string[], told: readonly string[]])[] =
  [
    ['lines over several chunks', ['a', 'b\nc', '\n', 'd'], ['ab', 'c', 'd'], []],
    ['empty lines and nothing', ['\n\n', ''], ['', ''], []],
    ['carriage returns at the end only', ['a\rb\r\n'], ['a\rb'], []],
    ['a character in two chunks', [Buffer.from([0xc3]), Buffer.from([0xa9, 10])], ['é'], []],
    [
      'a long line in pieces',
      [...Array<string>(5).fill('x'.repeat(5000)), '\nnext\n'],
      [`${'x'.repeat(16384)}… (8616 bytes cut)`, 'next'],
      [],
    ],
    ['a cut within a character', [`${'x'.repeat(16383)}é\n`], [`${'x'.repeat(16383)}… (1 bytes cut)`], []],
    ['what is over 1,000 lines', ['ab\n'.repeat(1500)], Array<string>(1000).fill('ab'), [dropped(500, 1500)]],
    ['what is over 1,000 lines, in pieces', [`${'ab\n'.repeat(1000)}c`, 'd', 'e\nf\n'], Array<string>(1000).fill('ab'), [dropped(2, 6)]],
    ['what is over 1 MiB', [`${'x'.repeat(16_383)}\n`.repeat(70)], Array<string>(64).fill('x'.repeat(16_383)), [dropped(6, 6 * 16_384)]],
  ];

for (const [title, chunks, lines, told] of rows) {
  test(`Lines.push() takes ${title}`, () => {
    const [seen, heard]: [string[], string[]] = [[], []];
    const limit = new RateLimit((text) => heard.push(text));
    const subject = new Lines(limit, (line) => seen.push(line));
    for (const chunk of chunks) subject.push(Buffer.from(chunk));
    subject.end();
    limit[Symbol.dispose]();
    assert.deepEqual([seen, heard], [lines, told]);
  });
}

function dropped(lines: number, bytes: number): string {
  return `dropped ${lines} lines (${bytes} bytes) of output: more than 1000 lines or 1048576 bytes in a second`;
}
