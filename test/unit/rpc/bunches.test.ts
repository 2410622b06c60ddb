import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FrameChannel, overFrames } from '../../../sdk/rpc/frames.ts';
import type { Frame } from '../../../sdk/rpc/generated-plugin.ts';
import type { Handler, Wire } from '../../../sdk/rpc/wire.ts';

const name = { service: 'volume', method: 'list' };
const facts = () => ({ driver: 'd', operationId: '', signal: new AbortController().signal });
const nobody: Handler = { unary: () => Promise.reject(new Error('no')), stream: () => nothing() };
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

async function* nothing(): AsyncIterable<Uint8Array> {}
async function* one(): AsyncIterable<Uint8Array> {
  yield Buffer.from('request');
}

/** Two ends of one channel; `change` sees each frame on its way. */
function pair(
  stream: Handler['stream'],
  change: (frame: Frame) => Frame = (frame) => frame,
): { readonly wire: Wire; readonly frames: readonly Frame[] } {
  const frames: Frame[] = [];
  const listeners: ((frame: Frame) => void)[] = [];
  const end = (at: number): FrameChannel => ({
    listen: ({ onFrame }) => void (listeners[at] = onFrame),
    post: (frame) => {
      const sent = change(frame);
      frames.push(sent);
      setImmediate(() => listeners[1 - at]?.(sent));
    },
    close: () => {},
  });
  overFrames(end(1), { ...nobody, stream });
  return { wire: overFrames(end(0), nobody), frames };
}

async function* numbers(count: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < count; at += 1) yield Buffer.from(String(at));
}
const expected = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => String(at));
const count = (frames: readonly Frame[], kind: Frame['kind']): number => frames.filter((frame) => frame.kind === kind).length;

test('a stream that is faster than its reader comes in bunches, whole and in order', async () => {
  const { wire, frames } = pair(() => numbers(1_000));
  const seen = await Array.fromAsync(wire.stream(name, one(), facts()), textOf);
  assert.deepEqual(seen, expected(1_000));
  assert.ok(count(frames, 'items') <= 40 && count(frames, 'more') <= 60, `${count(frames, 'items')} items, ${count(frames, 'more')} more`);
});

test('a peer that knows no bunches gets and sends items one by one', async () => {
  const old = (frame: Frame): Frame => {
    if (frame.kind !== 'call') return frame;
    const { window: _window, ...known } = frame;
    return known;
  };
  const { wire, frames } = pair(() => numbers(100), old);
  assert.deepEqual(await Array.fromAsync(wire.stream(name, one(), facts()), textOf), expected(100));
  assert.deepEqual([count(frames, 'items'), count(frames, 'item')], [0, 101]);
  assert.ok(frames.every((frame) => frame.kind !== 'more' || frame.count === undefined));
});

test('a stream waits for a reader that does not read', async () => {
  let made = 0;
  const { wire } = pair(async function* () {
    for (; ; made += 1) yield Buffer.from(String(made));
  });
  const reader = wire.stream(name, one(), facts())[Symbol.asyncIterator]();
  await reader.next();
  await sleep(100);
  const ahead = made;
  assert.ok(ahead <= 65, `${ahead} items are ahead of a reader that has taken one`);
  for (let at = 0; at < 200; at += 1) await reader.next();
  assert.ok(made > ahead);
  await reader.return?.();
});

test('what a stream says before it pauses waits for nothing, and what it says before it fails arrives', async () => {
  const pause = Promise.withResolvers<void>();
  const { wire } = pair(async function* () {
    yield Buffer.from('first');
    await pause.promise;
    yield Buffer.from('second');
    throw new Error('and no more');
  });
  const reader = wire.stream(name, one(), facts())[Symbol.asyncIterator]();
  assert.equal(textOf((await reader.next()).value as Uint8Array), 'first');
  pause.resolve();
  assert.equal(textOf((await reader.next()).value as Uint8Array), 'second');
  await assert.rejects(Promise.resolve(reader.next()), /and no more/);
});

test('long items are bunched by their size, so that no frame is longer than a message may be', async () => {
  const long = Buffer.alloc(200 * 1024, 'x');
  const { wire, frames } = pair(async function* () {
    for (let at = 0; at < 20; at += 1) yield long;
  });
  assert.equal((await Array.fromAsync(wire.stream(name, one(), facts()))).length, 20);
  for (const frame of frames) if (frame.kind === 'items') assert.ok(frame.payloads.length <= 2);
});
