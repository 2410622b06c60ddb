import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Ctx, codeOf, type Logger, notFound } from '@gantry/sdk';
import { driverContext, guard, tellProgress } from '../../../core/drivers/index.ts';

const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

function naive() {
  const order: string[] = [];
  return {
    order,
    features: ['x'],
    async work({ key, ms }: { key: string; ms: number }, _ctx: Ctx) {
      order.push(`> ${key}`);
      await new Promise((resolve) => setTimeout(resolve, ms));
      order.push(`< ${key}`);
      return key;
    },
    async breaks(_request: object, _ctx: Ctx) {
      throw new TypeError('undefined is not a function');
    },
    async misses(_request: object, _ctx: Ctx) {
      throw notFound('volume x not found');
    },
    async *list(_request: object, _ctx: Ctx) {
      yield 1;
      throw new Error('pipe');
    },
    async hangs(_request: object, _ctx: Ctx) {
      await new Promise(() => {});
    },
  };
}
const methods = {
  work: { deadline: 'normal', key: 'key' },
  breaks: { deadline: 'fast' },
  misses: { deadline: 'fast' },
  list: { deadline: 'stream', answer: 'stream' },
  hangs: { deadline: 'fast' },
  absent: { deadline: 'fast', feature: 'absent' },
} as const;

test('guard() lets calls with one key wait for each other and others run on', async () => {
  const driver = guard(naive(), methods, { label: 'volume driver v' });
  await Promise.all([
    driver.work({ key: 'a', ms: 20 }, driverContext(log)),
    driver.work({ key: 'a', ms: 1 }, driverContext(log)),
    driver.work({ key: 'b', ms: 1 }, driverContext(log)),
  ]);
  assert.deepEqual(driver.order, ['> a', '> b', '< b', '< a', '> a', '< a']);
});

test('guard() names driver and method when a driver throws what is not from the catalogue', async () => {
  await assert.rejects(guard(naive(), methods, { label: 'volume driver v' }).breaks({}, driverContext(log)), (error) => {
    assert.deepEqual([codeOf(error), (error as Error).message], ['internal', 'volume driver v: breaks: undefined is not a function']);
    return true;
  });
});

test('guard() passes errors of the catalogue through', async () => {
  await assert.rejects(guard(naive(), methods, { label: 'v' }).misses({}, driverContext(log)), (error) => codeOf(error) === 'not_found');
});

test('guard() translates what breaks in the middle of a stream', async () => {
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const value of guard(naive(), methods, { label: 'v' }).list({}, driverContext(log))) seen.push(value);
  }, /v: list: pipe/);
  assert.deepEqual(seen, [1]);
});

test('guard() gives up on a driver that never answers when the caller aborts', async () => {
  const stop = new AbortController();
  const call = guard(naive(), methods, { label: 'v' }).hangs({}, driverContext(log, stop.signal));
  stop.abort();
  await assert.rejects(call, (error) => codeOf(error) === 'cancelled');
});

test('guard() answers deadline_exceeded with the seconds after a fast call hangs', async () => {
  await assert.rejects(guard(naive(), methods, { label: 'v' }).hangs({}, driverContext(log)), (error) => {
    assert.deepEqual([codeOf(error), (error as Error).message], ['deadline_exceeded', 'v: hangs did not answer in 2 s']);
    return true;
  });
});

test('guard() leaves properties and absent methods as they are', () => {
  const driver: object = guard(naive(), methods, { label: 'v' });
  assert.deepEqual([Reflect.get(driver, 'features'), 'absent' in driver], [['x'], false]);
});

test('guard() gives a long call its time anew when the driver reports progress', async () => {
  const slow = {
    async attach(_request: object, { operationId }: { readonly operationId: string }): Promise<string> {
      for (let step = 0; step < 6; step += 1) {
        await sleep(40);
        tellProgress(operationId);
      }
      return 'there';
    },
  };
  const guarded = guard(slow, { attach: { deadline: 'long' } }, { label: 'v', timeouts: { attach: 120 } });
  assert.equal(await guarded.attach({}, driverContext(log)), 'there');
});
