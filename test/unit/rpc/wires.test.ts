import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { GantryError, messageOf } from '@gantry/sdk';
import { type CallFacts, connectGrpc, type Handler } from '@gantry/sdk/rpc';
import { none, type Pair, wirePairs } from '../../support/plugins/wire-pairs.ts';

const stat = { service: 'volume', method: 'stat' };
const list = { service: 'volume', method: 'list' };
const write = { service: 'log', method: 'write' };
const factsWith = (signal = new AbortController().signal): CallFacts => ({ driver: 'd', operationId: 'op', signal });
const asked = Buffer.from('asked');

/** Becomes true within a second. */
async function soon(what: string, isSo: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 1_000; !isSo(); ) {
    if (performance.now() > deadline) assert.fail(`not within a second: ${what}`);
    await sleep(5);
  }
}

const handling = (given: Partial<Handler>): Handler => ({ ...none, ...given });
async function* items(...given: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* given;
}

for (const [label, connect] of Object.entries(wirePairs)) {
  const over = (name: string, handler: Partial<Handler>, prove: (pair: Pair) => Promise<void>): void => {
    test(`${name}, over ${label}`, async () => {
      const before = process.getActiveResourcesInfo();
      {
        await using pair = await connect(handling(handler));
        await prove(pair);
      }
      const left = (): readonly string[] => {
        const known = [...before];
        return process
          .getActiveResourcesInfo()
          .filter((kind) => !known.includes(kind) || known.splice(known.indexOf(kind), 1).length === 0);
      };
      await soon(
        `nothing of the connection is left but ${left().join(', ')}`,
        () => left().filter((kind) => kind !== 'Timeout' && kind !== 'Immediate').length === 0,
      );
    });
  };

  over(
    'a unary call has its bytes, driver and operation',
    {
      unary: async (name, request, { driver, operationId }) =>
        Buffer.from(JSON.stringify([name, Buffer.from(request).toString(), driver, operationId])),
    },
    async ({ wire }) => {
      assert.deepEqual(JSON.parse(Buffer.from(await wire.unary(stat, asked, factsWith())).toString()), [stat, 'asked', 'd', 'op']);
    },
  );

  over(
    'an error keeps code, reason, hint, message, facts and when to try again',
    {
      unary: () =>
        Promise.reject(
          new GantryError('conflict', 'in use: ünïcödé %41\n2nd line', {
            hint: 'stop it',
            reason: 'VOLUME_BUSY',
            facts: { container: 'c1' },
            retryAfterMs: 5,
          }),
        ),
      // eslint-disable-next-line require-yield
      async *stream() {
        yield asked;
        throw new GantryError('not_found', 'no volume');
      },
    },
    async ({ wire }) => {
      const { code, message, hint, reason, facts, retryAfterMs } = (await wire
        .unary(stat, asked, factsWith())
        .catch((error: unknown) => error)) as GantryError;
      assert.deepEqual(
        { code, message, hint, reason, facts, retryAfterMs },
        {
          code: 'conflict',
          message: 'in use: ünïcödé %41\n2nd line',
          hint: 'stop it',
          reason: 'VOLUME_BUSY',
          facts: { container: 'c1' },
          retryAfterMs: 5,
        },
      );
      const seen: string[] = [];
      await assert.rejects(
        async () => {
          for await (const bytes of wire.stream(list, items(asked), factsWith())) seen.push(Buffer.from(bytes).toString());
        },
        { code: 'not_found', message: 'no volume' },
      );
      assert.deepEqual(seen, ['asked']);
    },
  );

  over(
    'a stream of 2,000 answers comes whole and in order',
    {
      async *stream() {
        for (let at = 0; at < 2_000; at += 1) yield Buffer.from(String(at));
      },
    },
    async ({ wire }) => {
      const seen = (await Array.fromAsync(wire.stream(list, items(asked), factsWith()))).map((bytes) =>
        Number(Buffer.from(bytes).toString()),
      );
      assert.deepEqual(
        seen,
        Array.from({ length: 2_000 }, (_, at) => at),
      );
    },
  );

  const big = Buffer.alloc(64 << 10, 'x');
  let produced = 0;
  over(
    'who answers faster than is read waits',
    {
      async *stream() {
        for (produced = 0; produced < 500; produced += 1) yield big;
      },
    },
    async ({ wire }) => {
      let read = 0;
      for await (const _ of wire.stream(list, items(asked), factsWith())) {
        read += 1;
        if (read === 5) await sleep(100);
        assert.ok(produced - read < 120, `${produced} were made when ${read} were read`);
      }
      assert.equal(read, 500);
    },
  );

  let taken = 0;
  over(
    'who asks faster than is read waits',
    {
      async *stream(_, requests) {
        taken = 0;
        for await (const bytes of requests) {
          taken += 1;
          if (taken === 5) await sleep(100);
          if (taken % 100 === 0) yield Buffer.from(String(bytes.length));
        }
      },
    },
    async ({ wire }) => {
      let sent = 0;
      async function* sending() {
        for (; sent < 500; sent += 1) {
          assert.ok(sent - taken < 120, `${sent} were sent when ${taken} were read`);
          yield big;
        }
      }
      const answers = await Array.fromAsync(wire.stream(write, sending(), factsWith()));
      assert.deepEqual(
        answers.map((bytes) => Buffer.from(bytes).toString()),
        Array.from({ length: 5 }, () => String(big.length)),
      );
    },
  );

  let heard: unknown;
  const waiting = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        heard = signal.reason;
        reject(signal.reason);
      });
    });
  over(
    "an abort is the caller's answer at once, and the other side hears of it",
    {
      unary: (_, __, { signal }) => waiting(signal),
      async *stream(_, __, { signal }) {
        yield asked;
        await waiting(signal);
      },
    },
    async ({ wire }) => {
      for (const call of [
        (signal: AbortSignal) => wire.unary(stat, asked, factsWith(signal)),
        (signal: AbortSignal) => Array.fromAsync(wire.stream(list, items(asked), factsWith(signal))),
      ]) {
        heard = undefined;
        const controller = new AbortController();
        const reason = new Error('enough');
        const underWay = call(controller.signal);
        underWay.catch(() => {});
        await sleep(50);
        const began = performance.now();
        controller.abort(reason);
        await assert.rejects(underWay, (error) => error === reason);
        assert.ok(performance.now() - began < 500);
        await soon('the other side hears of it', () => heard !== undefined);
        const again = new AbortController();
        again.abort(reason);
        await assert.rejects(call(again.signal), (error) => error === reason);
      }
    },
  );

  let isReturned = false;
  over(
    'who reads no further ends the stream on the other side',
    {
      async *stream(_, __, { signal }) {
        isReturned = false;
        try {
          for (let at = 0; ; at += 1) {
            signal.throwIfAborted();
            yield Buffer.from(String(at));
            await sleep(1);
          }
        } finally {
          isReturned = true;
        }
      },
    },
    async ({ wire }) => {
      for await (const _ of wire.stream(list, items(asked), factsWith())) break;
      await soon('the stream is ended', () => isReturned);
    },
  );

  over(
    'who answers without reading on ends the requests',
    {
      async *stream() {
        yield asked;
      },
    },
    async ({ wire }) => {
      let isAsking = true;
      async function* requests() {
        try {
          for (;;) {
            yield asked;
            await sleep(1);
          }
        } finally {
          isAsking = false;
        }
      }
      assert.equal((await Array.fromAsync(wire.stream(write, requests(), factsWith()))).length, 1);
      await soon('the requests are ended', () => !isAsking);
    },
  );

  over(
    "what the caller's own requests throw is what the caller gets",
    {
      async *stream(_, requests) {
        for await (const bytes of requests) yield bytes;
      },
    },
    async ({ wire }) => {
      const failure = new Error('my own');
      async function* requests() {
        yield asked;
        throw failure;
      }
      await assert.rejects(Array.fromAsync(wire.stream(write, requests(), factsWith())), (error) => error === failure);
    },
  );

  over(
    'a message over 4 MiB is refused, and the connection goes on',
    {
      unary: async (_, request) => (request.length > 100 ? request : Buffer.alloc(5 << 20)),
      async *stream() {
        yield Buffer.alloc(5 << 20);
      },
    },
    async ({ wire }) => {
      for (const call of [
        () => wire.unary(stat, Buffer.alloc(5 << 20), factsWith()),
        () => wire.unary(stat, asked, factsWith()),
        () => Array.fromAsync(wire.stream(list, items(asked), factsWith())),
      ])
        await assert.rejects(call, { code: 'exhausted' });
      assert.equal((await wire.unary(stat, Buffer.alloc(3 << 20), factsWith())).length, 3 << 20);
    },
  );

  over(
    'a thousand calls at once are answered, each with its own',
    {
      unary: async (_, request) => {
        await sleep(Number(Buffer.from(request).toString()) % 7);
        return request;
      },
    },
    async ({ wire }) => {
      const numbers = Array.from({ length: 1_000 }, (_, at) => String(at));
      const answers = await Promise.all(numbers.map((number) => wire.unary(stat, Buffer.from(number), factsWith())));
      assert.deepEqual(
        answers.map((bytes) => Buffer.from(bytes).toString()),
        numbers,
      );
    },
  );

  let isCalled = false;
  over(
    'when the other side goes, calls under way and later ones say so',
    {
      unary: () => {
        isCalled = true;
        return new Promise(() => {});
      },
      async *stream(_, __, { signal }) {
        yield asked;
        await waiting(signal);
      },
    },
    async ({ wire, cut }) => {
      isCalled = false;
      const unary = wire.unary(stat, asked, factsWith());
      const stream = Array.fromAsync(wire.stream(list, items(asked), factsWith()));
      const outcomes = Promise.allSettled([unary, stream]);
      await soon('it is called', () => isCalled);
      await sleep(50);
      await cut();
      for (const outcome of await outcomes) {
        assert.equal(outcome.status, 'rejected');
        const { code, reason } = outcome.reason as GantryError;
        assert.deepEqual([code, reason], ['unavailable', 'CONNECTION_LOST'], messageOf(outcome.reason));
      }
      await assert.rejects(wire.unary(stat, asked, factsWith(AbortSignal.timeout(2_000))), { code: 'unavailable' });
    },
  );
}

test('connectGrpc() gives up when its time is over', { timeout: 10_000 }, async () => {
  const address = `unix://${join(tmpdir(), 'missing.sock')}`;
  await assert.rejects(connectGrpc(address, { connectTimeoutMs: 100 }), { code: 'unavailable', message: `nobody answers at ${address}` });
});

test('connectGrpc() tells calls under way that their peer was killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wire-'));
  const socket = join(folder, 's.sock');
  const room = new URL('../../../sdk/rpc/index.ts', import.meta.url).href;
  const script = `
    const { serveGrpc } = await import(${JSON.stringify(room)});
    const never = () => new Promise(() => {});
    await serveGrpc(${JSON.stringify(socket)}, ['volume'], { unary: never, async *stream() { yield Buffer.from('asked'); await never(); } });
    console.log('listening');`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    const wire = await connectGrpc(`unix://${socket}`);
    const outcomes = Promise.allSettled([
      wire.unary(stat, asked, factsWith()),
      Array.fromAsync(wire.stream(list, items(asked), factsWith())),
    ]);
    await sleep(50);
    child.kill('SIGKILL');
    for (const outcome of await outcomes) {
      assert.equal(outcome.status, 'rejected');
      const { code, reason } = outcome.reason as GantryError;
      assert.deepEqual([code, reason], ['unavailable', 'CONNECTION_LOST'], messageOf(outcome.reason));
    }
    wire.close();
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});
