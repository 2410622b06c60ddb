import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCodes, GantryError } from '@gantry/sdk';
import { encode, fromStatus, toStatus } from '@gantry/sdk/rpc';

const facts = { users: 'c1', count: '3' };

for (const code of errorCodes) {
  test(`an error with code ${code} is the same behind a wire`, () => {
    const sent = new GantryError(code, `it is ${code}`, {
      hint: 'do this',
      reason: 'SOME_REASON',
      facts: { ...facts, code: 'not_modified', hint: 'a fact' },
      retryAfterMs: 1_500,
    });
    const { hint, reason, message, code: received, retryAfterMs, facts: told } = fromStatus(toStatus(sent));
    assert.deepEqual(
      { code: received, message, hint, reason, retryAfterMs, facts: told },
      { code, message: `it is ${code}`, hint: 'do this', reason: 'SOME_REASON', retryAfterMs: 1_500, facts },
    );
  });
}

test('fromStatus() of an error without anything else has nothing else', () => {
  const { hint, reason, retryAfterMs, facts: told } = fromStatus(toStatus(new GantryError('conflict', 'in use')));
  assert.deepEqual({ hint, reason, retryAfterMs, told }, { hint: undefined, reason: undefined, retryAfterMs: undefined, told: {} });
});

test('toStatus() tells of what is no GantryError its message alone, and cuts what is too long', () => {
  const error = new Error('x'.repeat(10_000), { cause: new Error('secret') });
  const { code, message, details = Buffer.alloc(0) } = toStatus(error);
  assert.deepEqual([code, message.length], [13, 4_096]);
  assert.doesNotMatch(Buffer.from(details).toString(), /secret|at file|\.ts:/);
  assert.equal(toStatus('a text').code, 13);
  assert.equal(toStatus(undefined).code, 13);
  assert.equal(toStatus(new DOMException('enough', 'AbortError')).code, 1);
});

test('fromStatus() understands peers of every language, and details that are none of ours', () => {
  const foreign = encode('gantry.types.v1.ErrorStatus', {
    code: 5,
    message: 'no such volume',
    details: [
      { typeUrl: 'type.googleapis.com/google.rpc.ResourceInfo', value: Buffer.from([0xff, 0x00, 0x13]) },
      {
        typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo',
        value: encode('gantry.types.v1.ErrorInfo', {
          reason: 'GONE',
          domain: 'example.com',
          metadata: { hint: 'look', retryAfterMs: 'soon' },
        }),
      },
    ],
  });
  for (const [given, expected] of [
    [
      { code: 5, message: 'no', details: undefined },
      { code: 'not_found', reason: undefined },
    ],
    [
      { code: 5, message: 'no', details: foreign },
      { code: 'not_found', reason: 'GONE', hint: 'look', retryAfterMs: undefined },
    ],
    [
      { code: 9, message: 'no', details: Buffer.from('garbage') },
      { code: 'conflict', reason: undefined },
    ],
    [
      { code: 9, message: 'no', details: Buffer.alloc(0) },
      { code: 'conflict', reason: undefined },
    ],
    [{ code: 11, message: 'no', details: undefined }, { code: 'invalid_argument' }],
    [{ code: 2, message: 'no', details: undefined }, { code: 'internal' }],
    [{ code: 4_711, message: 'no', details: undefined }, { code: 'internal' }],
    [{ code: -1, message: '', details: undefined }, { code: 'internal' }],
  ] as const) {
    const error = fromStatus(given) as unknown as Readonly<Record<string, unknown>>;
    for (const [key, value] of Object.entries(expected)) assert.equal(error[key], value, `${key} of ${JSON.stringify(given)}`);
  }
});
