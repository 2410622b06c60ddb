import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ignores, readIgnoreFile } from '@gantry/sdk/builder';

const cases: readonly (readonly [patterns: readonly string[], ignored: readonly string[], kept: readonly string[]])[] = [
  [['*.log'], ['a.log'], ['d/a.log', 'a.logs']],
  [['**/*.log'], ['a.log', 'd/e/a.log'], ['a.txt']],
  [['/d/'], ['d', 'd/e'], ['e/d']],
  [['d/**'], ['d/e', 'd/e/f'], ['d', 'x']],
  [
    ['*', '!kept', '!d/kept*'],
    ['a', 'd/a', 'd'],
    ['kept', 'kept/x', 'd/kept1'],
  ],
  [['a', '!a', 'a'], ['a'], ['b']],
  [['x/../y', './z'], ['y', 'z'], ['x']],
  [['**'], ['a', 'a/b'], []],
  [['a/**/b'], ['a/b', 'a/x/y/b'], ['a', 'b']],
  [['[a-c]?'], ['b1'], ['d1', 'b']],
  [['a\\*b'], ['a*b'], ['axb']],
  [['.'], [], ['a']],
];
for (const [patterns, ignored, kept] of cases) {
  test(`ignores(${JSON.stringify(patterns)})`, () => {
    const isIgnored = ignores(patterns);
    assert.deepEqual(
      [...ignored, ...kept].filter((path) => isIgnored(path)),
      ignored,
    );
  });
}

test('ignores() takes no time that grows with the square of anything', () => {
  const isIgnored = ignores([Array.from({ length: 60 }, () => '**').join('/') + '/*a*a*a*a*a*b']);
  const started = performance.now();
  assert.equal(isIgnored(Array.from({ length: 200 }, () => 'a'.repeat(100)).join('/')), false);
  assert.ok(performance.now() - started < 5_000);
});

test('ignores() refuses what is no pattern, and too many', () => {
  assert.throws(() => ignores(['a', '[']), /syntax error in pattern "\["/);
  assert.throws(() => ignores(['!']), /illegal exclusion pattern/);
  assert.throws(() => ignores(Array.from({ length: 10_001 }, () => 'a')), /10001 patterns/);
});

test('readIgnoreFile() drops the mark, comments at the beginning of a line and what is empty', () => {
  assert.deepEqual(readIgnoreFile('\u{FEFF}a \n#b\n #c\n\n  !d\r\n'), ['a', '#c', '!d']);
});
