import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, GantryError, notFound } from '@gantry/sdk';
import { type ChaosProxy, chaosProxy } from '@gantry/sdk/conformance';
import { type CallFacts, connectGrpc, type Handler, serveGrpc, type Wire } from '@gantry/sdk/rpc';

/** A plugin that notes what reaches it, with a proxy before it, and a caller before that. */
class Stage implements AsyncDisposable {
  /** "begin a", "end a", "cancel a" */
  readonly seen: string[] = [];
  readonly #opened: AsyncDisposableStack;
  readonly proxy: ChaosProxy;
  readonly wire: Wire;
  /** Of each call. */
  workMs = 0;

  private constructor(opened: AsyncDisposableStack, proxy: ChaosProxy, wire: Wire) {
    this.#opened = opened;
    this.proxy = proxy;
    this.wire = wire;
  }

  static async open(): Promise<Stage> {
    await using undo = new AsyncDisposableStack();
    const folder = undo.adopt(mkdtempSync(join(tmpdir(), 'chaos-')), (path) => rmSync(path, { recursive: true }));
    const handler: Handler = {
      unary: (_name, request, facts) => stage.#work(Buffer.from(request).toString(), facts),
      stream: async function* (_name, requests) {
        for await (const request of requests) stage.seen.push(`stream ${Buffer.from(request).toString()}`);
        for (const item of ['1', '2', '3']) yield Buffer.from(item);
      },
    };
    undo.use(await serveGrpc(join(folder, 'p.sock'), ['plugin', 'volume'], handler));
    const listen = join(folder, 'd.sock');
    const proxy = undo.use(await chaosProxy({ listen, plugin: join(folder, 'p.sock') }));
    const wire = undo.adopt(await connectGrpc(`unix://${listen}`), (connected) => connected.close());
    const stage = new Stage(undo.move(), proxy, wire);
    return stage;
  }

  call(text: string, signal = AbortSignal.timeout(5_000)): Promise<string> {
    return this.wire
      .unary({ service: 'volume', method: 'create' }, Buffer.from(text), factsOf(signal))
      .then((bytes) => Buffer.from(bytes).toString());
  }

  async list(): Promise<readonly string[]> {
    const answers = this.wire.stream({ service: 'volume', method: 'list' }, only('all'), factsOf(AbortSignal.timeout(5_000)));
    return (await Array.fromAsync(answers)).map((bytes) => Buffer.from(bytes).toString());
  }

  async #work(text: string, { signal }: CallFacts): Promise<Uint8Array> {
    this.seen.push(`begin ${text}`);
    if (text === 'refused') throw notFound('no volume refused');
    try {
      await sleep(this.workMs, undefined, { signal });
    } catch (error) {
      this.seen.push(`cancel ${text}`);
      throw error;
    }
    this.seen.push(`end ${text}`);
    return Buffer.from(`did ${text}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync();
  }
}

const factsOf = (signal: AbortSignal): CallFacts => ({ driver: 'd', operationId: 'o', signal });
const isLost = (error: unknown): boolean => GantryError.is(error) && error.reason === 'CONNECTION_LOST';

test('chaosProxy() changes nothing while nothing is injected: answers, refusals, streams', async () => {
  await using stage = await Stage.open();
  assert.equal(await stage.call('a'), 'did a');
  await assert.rejects(stage.call('refused'), (error) => codeOf(error) === 'not_found' && /no volume refused/.test(String(error)));
  assert.deepEqual(await stage.list(), ['1', '2', '3']);
  assert.equal(stage.proxy.met, 0);
});

const losing = [
  { fault: { kind: 'lose-call' }, seen: [] },
  { fault: { kind: 'lose-answer' }, seen: ['begin a', 'end a'] },
  { fault: { kind: 'truncate' }, seen: ['begin a', 'end a'] },
  { fault: { kind: 'cut', afterMs: 20 }, seen: ['begin a', 'cancel a'] },
] as const;
for (const { fault, seen } of losing) {
  test(`chaosProxy() with ${fault.kind}: the caller's connection breaks, the plugin has seen ${seen.join(', ') || 'nothing'}; the next call is well`, async () => {
    await using stage = await Stage.open();
    stage.workMs = 1_000;
    stage.proxy.inject('volume.*', fault, 1);
    await assert.rejects(stage.call('a'), isLost);
    // The plugin's end of the connection hears a moment later.
    for (let look = 0; look < 100 && stage.seen.length < seen.length; look += 1) await sleep(5);
    assert.deepEqual(stage.seen, seen);
    stage.workMs = 0;
    const again = async (): Promise<string> => stage.call('b').catch((error: unknown) => (isLost(error) ? again() : Promise.reject(error)));
    assert.equal(await again(), 'did b');
    assert.equal(stage.proxy.met, 1);
  });
}

test('chaosProxy() calls twice, one after the other or at once, and answers once', async () => {
  await using stage = await Stage.open();
  stage.workMs = 10;
  stage.proxy.inject('volume.create', { kind: 'duplicate' }, 1);
  assert.equal(await stage.call('a'), 'did a');
  stage.proxy.inject('volume.create', { kind: 'duplicate', together: true }, 1);
  assert.equal(await stage.call('b'), 'did b');
  assert.equal(await stage.call('c'), 'did c');
  assert.deepEqual(stage.seen, ['begin a', 'end a', 'begin a', 'end a', 'begin b', 'begin b', 'end b', 'end b', 'begin c', 'end c']);
});

test('chaosProxy() answers calls in another order, each with its own answer, and alone after a while', async () => {
  await using stage = await Stage.open();
  const inAnotherOrder = async (): Promise<boolean> => {
    stage.seen.length = 0;
    stage.proxy.inject('volume.*', { kind: 'reorder', calls: 4 }, 4);
    const order: string[] = [];
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((text) => stage.call(text).finally(() => order.push(text))));
    assert.deepEqual(answers, ['did a', 'did b', 'did c', 'did d']);
    const done = stage.seen.filter((line) => line.startsWith('end ')).map((line) => line.slice(4));
    assert.deepEqual(order.toSorted(), done.toSorted());
    return order.join() !== done.join();
  };
  // Streams of their own: which of two answers that were sent together is read first is nobody's promise.
  let rounds = 1;
  while (!(await inAnotherOrder())) assert.ok(rounds++ < 10, 'never in another order');
  stage.proxy.inject('volume.*', { kind: 'reorder', calls: 4 });
  assert.equal(await stage.call('e'), 'did e');
});

test('chaosProxy() delays, meets only the methods and times it was told, and calms down', async () => {
  await using stage = await Stage.open();
  stage.proxy.inject('volume.remove', { kind: 'lose-call' });
  stage.proxy.inject('volume.create', { kind: 'delay', ms: 150 }, 1);
  const began = performance.now();
  await stage.call('a');
  assert.ok(performance.now() - began >= 149);
  await stage.call('b');
  stage.proxy.inject('*', { kind: 'lose-call' });
  stage.proxy.calm();
  assert.equal(await stage.call('c'), 'did c');
  assert.equal(stage.proxy.met, 1);
});

test('chaosProxy() breaks a stream off after its first answer', async () => {
  await using stage = await Stage.open();
  stage.proxy.inject('volume.list', { kind: 'lose-answer' }, 1);
  await assert.rejects(stage.list(), isLost);
  assert.deepEqual(stage.seen, ['stream all']);
});

test('chaosProxy() passes a cancel on, and leaves no socket behind', async () => {
  const stage = await Stage.open();
  stage.workMs = 5_000;
  const stop = new AbortController();
  const call = stage.call('a', stop.signal);
  await sleep(50);
  stop.abort();
  await assert.rejects(call);
  for (let look = 0; look < 100 && !stage.seen.includes('cancel a'); look += 1) await sleep(10);
  assert.deepEqual(stage.seen, ['begin a', 'cancel a']);
  await stage[Symbol.asyncDispose]();
});

test('chaosProxy() refuses a path that no socket can have', async () => {
  const listen = `/tmp/${'x'.repeat(110)}`;
  await assert.rejects(chaosProxy({ listen, plugin: '/tmp/p.sock' }), /more than 107 bytes/);
  assert.ok(!existsSync(listen));
});

async function* only(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
