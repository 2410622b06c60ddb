import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfterOf } from '../../../plugins/transport/registry/retry-after.ts';

for (const [header, waitMs] of [
  [undefined, undefined],
  ['', undefined],
  ['soon', undefined],
  ['-5', 0],
  ['0', 0],
  ['7', 7_000],
  ['100000', 120_000],
  ['Fri, 01 Jan 2100 00:00:00 GMT', 120_000],
  ['Sat, 01 Jan 2000 00:00:00 GMT', 0],
] as const) {
  test(`Retry-After: ${header ?? '(none)'} is ${waitMs ?? 'nothing'} ms`, () => assert.equal(retryAfterOf(header), waitMs));
}

test('a date that is near is waited for', () => {
  const waitMs = retryAfterOf(new Date(Date.now() + 30_000).toUTCString()) ?? 0;
  assert.ok(waitMs > 25_000 && waitMs <= 30_000, String(waitMs));
});
