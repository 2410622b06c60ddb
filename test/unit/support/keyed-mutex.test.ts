import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedMutex } from '../../../core/support/index.ts';

test('KeyedMutex.acquire() serves one key in the order of asking and other keys at once', async () => {
  const mutex = new KeyedMutex();
  const order: string[] = [];
  const first = await mutex.acquire('a');
  const rest = ['second', 'third'].map(async (name) => {
    using _lock = await mutex.acquire('a');
    order.push(name);
  });
  using _other = await mutex.acquire('b');
  order.push('other key');
  first[Symbol.dispose]();
  await Promise.all(rest);
  assert.deepEqual(order, ['other key', 'second', 'third']);
  assert.equal(mutex.isLocked('a'), false);
});

test('KeyedMutex.acquire() lets an aborted waiter leave without holding up the next', async () => {
  const mutex = new KeyedMutex();
  const controller = new AbortController();
  const first = await mutex.acquire('a');
  const leaver = mutex.acquire('a', { signal: controller.signal });
  const last = mutex.acquire('a');
  controller.abort(new Error('left'));
  await assert.rejects(leaver, { message: 'left' });
  first[Symbol.dispose]();
  (await last)[Symbol.dispose]();
  assert.equal(mutex.isLocked('a'), false);
});

test('KeyedMutex lock disposed twice frees its key once', async () => {
  const mutex = new KeyedMutex();
  const first = await mutex.acquire('a');
  const second = mutex.acquire('a');
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  const held = await second;
  assert.equal(mutex.isLocked('a'), true);
  held[Symbol.dispose]();
});

test('KeyedMutex.acquire() is not undone by an abort after the lock was given', async () => {
  const mutex = new KeyedMutex();
  const controller = new AbortController();
  const first = await mutex.acquire('a');
  const second = mutex.acquire('a', { signal: controller.signal });
  first[Symbol.dispose]();
  controller.abort();
  (await second)[Symbol.dispose]();
  assert.equal(mutex.isLocked('a'), false);
});
