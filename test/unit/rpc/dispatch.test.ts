import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '@gantry/sdk';
import { type CallFacts, decode, Dispatcher, encode } from '@gantry/sdk/rpc';

const facts: CallFacts = { driver: 'd', operationId: 'o', signal: new AbortController().signal };
const name = (method: string) => ({ service: 'volume', method });
const asked = encode('gantry.volume.v1.VolumeName', { name: 'v' });
const removing = encode('gantry.volume.v1.RemoveRequest', { name: 'v', force: false });

function serving(driver: object) {
  return new Dispatcher({
    find: (service, wished) =>
      service === 'volume' && wished === 'd' ? driver : service === 'plugin' ? { ping: async () => {} } : undefined,
    ctx: ({ operationId }) => ({ operationId }),
  });
}

async function* requests(...items: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* items;
}

test('Dispatcher decodes a request, calls the driver with its context, and encodes the answer', async () => {
  const seen: unknown[] = [];
  const dispatcher = serving({
    remove: async (...given: unknown[]) => void seen.push(...given),
    async *list() {
      yield { name: 'v', scope: 'local', options: {}, status: {} };
    },
  });
  assert.equal((await dispatcher.unary(name('remove'), removing, facts)).length, 0);
  assert.deepEqual(seen, [{ name: 'v', force: false }, { operationId: 'o' }]);
  const answers = await Array.fromAsync(dispatcher.stream(name('list'), requests(encode('google.protobuf.Empty', {})), facts));
  assert.deepEqual(
    answers.map((bytes) => (decode('gantry.volume.v1.Volume', bytes) as { readonly name: string }).name),
    ['v'],
  );
});

test('Dispatcher refuses what it has not got, and what is no request, each with its own code', async () => {
  const dispatcher = serving({ stat: 'no function', remove: async () => {} });
  const refusals: readonly (readonly [code: string, call: () => Promise<unknown>])[] = [
    ['not_implemented', () => dispatcher.unary(name('noSuchMethod'), asked, facts)],
    ['not_implemented', () => dispatcher.unary(name('__proto__'), asked, facts)],
    ['not_implemented', () => dispatcher.unary(name('constructor'), asked, facts)],
    ['not_implemented', () => dispatcher.unary({ service: 'constructor', method: 'name' }, asked, facts)],
    ['not_implemented', () => dispatcher.unary(name('stat'), asked, facts)],
    ['not_found', () => dispatcher.unary(name('remove'), removing, { ...facts, driver: 'other' })],
    ['not_found', () => dispatcher.unary({ service: 'graph', method: 'status' }, Buffer.alloc(0), facts)],
    ['invalid_argument', () => dispatcher.unary(name('remove'), Buffer.from([0x12, 99]), facts)],
    ['invalid_argument', () => Array.fromAsync(serving({ async *list() {} }).stream(name('list'), requests(), facts))],
  ];
  for (const [code, call] of refusals) await assert.rejects(call, (error) => codeOf(error) === code, code);
});

test('Dispatcher.drain() lets calls under way end, refuses new ones, and answers pings all the time', async () => {
  const gate = Promise.withResolvers<void>();
  const dispatcher = serving({ remove: () => gate.promise });
  const underWay = dispatcher.unary(name('remove'), removing, facts);
  assert.equal(dispatcher.underWay, 1);
  assert.equal(await dispatcher.drain(20), 1);
  await assert.rejects(dispatcher.unary(name('remove'), removing, facts), { code: 'unavailable', reason: 'DRAINING' });
  await assert.rejects(Array.fromAsync(dispatcher.stream(name('list'), requests(), facts)), { reason: 'DRAINING' });
  await dispatcher.unary({ service: 'plugin', method: 'ping' }, Buffer.alloc(0), facts);
  const drained = dispatcher.drain(5_000);
  gate.resolve();
  await underWay;
  assert.equal(await drained, 0);
  assert.equal(await dispatcher.drain(0), 0);
  dispatcher.resume();
  await dispatcher.unary(name('remove'), removing, facts);
});

test('Dispatcher counts a call that fails as ended', async () => {
  const dispatcher = serving({ remove: () => Promise.reject(new Error('no')) });
  await assert.rejects(dispatcher.unary(name('remove'), removing, facts), { message: 'no' });
  assert.equal(dispatcher.underWay, 0);
});
