import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { anySignal, undoSignal, withDeadline } from '../../../core/support/index.ts';

test('withDeadline() gives the result and leaves no timer behind', async () => {
  const before = process.getActiveResourcesInfo().length;
  assert.equal(await withDeadline(60_000, () => 7), 7);
  assert.equal(process.getActiveResourcesInfo().length, before);
});

test('withDeadline() rejects with a TimeoutError although the work does not listen, and releases the late result', async () => {
  const late = Promise.withResolvers<number>();
  const work = withDeadline(5, () => sleep(20, 7), { onLate: late.resolve });
  await assert.rejects(work, { name: 'TimeoutError', message: 'no answer within 5 ms' });
  assert.equal(await late.promise, 7);
});

test('withDeadline() fires the signal of the work with the reason of the caller', async () => {
  const controller = new AbortController();
  const seen = Promise.withResolvers<unknown>();
  const work = withDeadline(
    60_000,
    ({ signal }) => {
      signal.addEventListener('abort', () => seen.resolve(signal.reason));
      return new Promise<never>(() => undefined);
    },
    { signal: controller.signal },
  );
  const reason = new Error('the caller left');
  controller.abort(reason);
  await assert.rejects(work, reason);
  assert.equal(await seen.promise, reason);
});

test('withDeadline() never begins the work of a caller that has left', async () => {
  await assert.rejects(
    withDeadline(1000, () => assert.fail('began'), { signal: AbortSignal.abort(new Error('gone')) }),
    { message: 'gone' },
  );
});

test('withDeadline() drops the failure that comes after the deadline', async () => {
  await assert.rejects(
    withDeadline(5, async () => {
      await sleep(10);
      throw new Error('late');
    }),
    { name: 'TimeoutError' },
  );
  await sleep(20); // an unhandled rejection would fail the run
});

test('anySignal() fires with the first reason and ignores what is not given', () => {
  const controller = new AbortController();
  const signal = anySignal(undefined, controller.signal, new AbortController().signal);
  controller.abort('first');
  assert.equal(signal.reason, 'first');
});

test('undoSignal() is bounded', async () => {
  const signal = undoSignal(5);
  await sleep(20);
  assert.equal(signal.aborted, true);
});
