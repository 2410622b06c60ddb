import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, exhausted, firstCause, fromErrno, messageOf, unavailable } from '@gantry/sdk';

test('codeOf(), messageOf() and fromErrno() tell what went wrong first, not what taking it back came to', async () => {
  const first = exhausted('no room');
  const thrown = await failing(first);
  assert.ok(thrown instanceof SuppressedError);
  assert.equal(firstCause(thrown), first);
  assert.deepEqual([codeOf(thrown), messageOf(thrown)], ['exhausted', 'no room']);
  assert.equal(fromErrno(thrown, 'make it'), first);
});

async function failing(first: Error): Promise<unknown> {
  try {
    await using undo = new AsyncDisposableStack();
    for (const what of ['one', 'two']) undo.defer(() => Promise.reject(unavailable(`${what} is down`)));
    throw first;
  } catch (error) {
    return error;
  }
}
