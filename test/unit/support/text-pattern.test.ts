import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesPattern } from '../../../core/support/index.ts';

for (const [pattern, text, expected] of [
  ['we', 'web', true],
  ['^web$', 'web', true],
  ['^we$', 'web', false],
  ['^(web|db)$', 'db', true],
  ['^(web|db)$', 'dbx', false],
  ['w.*-[0-9]+', 'web-12', true],
  ['w[', 'a w[ b', true],
  ['w[', 'web', false],
  ['+', 'a+b', true],
  ['(a+)+$', `${'a'.repeat(60)}b`, false],
  ['a*a*a*a*$', `${'a'.repeat(60)}b`, false],
  ['x'.repeat(300), 'x'.repeat(301), true],
] as const) {
  test(`matchesPattern() ${expected ? 'finds' : 'does not find'} ${pattern.slice(0, 20)} in ${text.slice(0, 20)}`, {
    timeout: 1_000,
  }, () => {
    assert.equal(matchesPattern(pattern, text), expected);
  });
}
