import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timestamp } from '../../../core/lifecycle/model.ts';

test('timestamp() goes up with each call, also within a millisecond', () => {
  const taken = Array.from({ length: 20_000 }, () => timestamp());
  assert.deepEqual(taken, [...new Set(taken)].toSorted());
  assert.match(timestamp(), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
});

test('timestamp() of a date is of that date', () => {
  assert.match(timestamp(new Date(0)), /^1970-01-01T00:00:00\.000\d{6}Z$/);
});
