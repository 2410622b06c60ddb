import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathMatcher } from '@gantry/sdk/builder';

/** Rows of Go's path.Match, from its documentation. */
const rows: readonly (readonly [pattern: string, name: string, matches: boolean | undefined])[] = [
  ['abc', 'abc', true],
  ['*', 'abc', true],
  ['*', 'a/b', false],
  ['*c', 'abc', true],
  ['a*', 'a', true],
  ['a*/b', 'abc/b', true],
  ['a*/b', 'a/c/b', false],
  ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
  ['a*b?c*x', 'abxbbxdbxebxczzx', true],
  ['a*b?c*x', 'abxbbxdbxebxczzy', false],
  ['ab[c]', 'abc', true],
  ['ab[b-d]', 'abc', true],
  ['ab[e-g]', 'abc', false],
  ['ab[^c]', 'abc', false],
  ['ab[^e-g]', 'abc', true],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'ab', false],
  ['a?b', 'a☺b', true],
  ['a[^a]b', 'a☺b', true],
  ['[\\]a]', ']', true],
  ['[\\-x]', '-', true],
  ['a?b', 'a/b', false],
  ['[]a]', ']', undefined],
  ['[-]', '-', undefined],
  ['[x-]', 'x', undefined],
  ['[a', 'a', undefined],
  ['[', 'a', undefined],
  ['a\\', 'a', undefined],
  ['busybox:*', 'busybox:latest', true],
];

for (const [pattern, name, expected] of rows) {
  test(`pathMatcher() ${JSON.stringify(pattern)} on ${JSON.stringify(name)} is ${expected}`, () => {
    assert.equal(pathMatcher(pattern)?.(name), expected);
  });
}

test('pathMatcher() answers a pattern of many stars at once', () => {
  const matches = pathMatcher(`${'*a'.repeat(250)}b`);
  const start = performance.now();
  assert.equal(matches?.('a'.repeat(255)), false);
  assert.ok(performance.now() - start < 100);
});
