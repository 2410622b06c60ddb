import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operationId, randomId, shortId, shortRandom } from '../../../core/support/index.ts';

test('randomId() is 64 hex digits whose short form is never a plain number', () => {
  for (let count = 0; count < 2000; count += 1) {
    assert.match(randomId(), /^[0-9a-f]{64}$/);
    assert.doesNotMatch(shortId(randomId()), /^\d+$/);
  }
});

test('shortId() cuts an id, a digest and a short one alike', () => {
  const id = 'abcdef0123456789'.repeat(4);
  assert.deepEqual([shortId(id), shortId(`sha256:${id}`), shortId('abc')], ['abcdef012345', 'abcdef012345', 'abc']);
});

test('shortRandom() is sixteen hex digits', () => {
  assert.match(shortRandom(), /^[0-9a-f]{16}$/);
});

test('operationId() sorts by creation, within a millisecond and over a clock that steps back', () => {
  const made = [...Array.from({ length: 3000 }, () => operationId(1_700_000_000_000)), operationId(1_600_000_000_000), operationId()];
  assert.deepEqual(made.toSorted(), made);
  assert.equal(new Set(made).size, made.length);
  assert.equal(made[0]?.length, 26);
});
