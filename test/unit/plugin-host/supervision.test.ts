import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { conflict, invalidArgument } from '@gantry/sdk';
import { defaultPolicy } from '../../../core/plugin-host/life/policy.ts';
import { Probation } from '../../../core/plugin-host/life/probation.ts';
import { Supervision } from '../../../core/plugin-host/life/supervision.ts';

const remote = { name: 'acme', placement: 'process' } as const;
const embedded = { name: 'acme', placement: 'in-process' } as const;
const policy = { ...defaultPolicy, quarantineMs: [1_000, 2_000] };

test('Supervision.crashed() doubles the back-off, and quarantines with the last end of the budget, longer each time', () => {
  const supervision = new Supervision(remote, { ...policy, backOffMs: [100, 300] });
  const verdicts = Array.from({ length: 6 }, () => supervision.crashed('it ended'));
  assert.deepEqual(
    verdicts.map(({ state, retryMs }) => [state, retryMs]),
    [
      ['backoff', 100],
      ['backoff', 200],
      ['backoff', 300],
      ['backoff', 300],
      ['quarantined', 1_000],
      ['quarantined', 2_000],
    ],
  );
  assert.equal(verdicts[4]?.message, 'it ended 5 times in a short while; the last: it ended');
  supervision.forgive();
  assert.deepEqual(supervision.crashed('again'), { state: 'backoff', message: 'again', hint: undefined, retryMs: 100 });
});

test('Supervision.crashed() forgets what is longer ago than the budget looks back', async () => {
  const supervision = new Supervision(remote, { ...policy, crashBudget: { count: 2, withinMs: 50 } });
  assert.equal(supervision.crashed('one').state, 'backoff');
  await sleep(80);
  assert.equal(supervision.crashed('two').state, 'backoff');
  assert.equal(supervision.crashed('three').state, 'quarantined');
});

test('Supervision.struck() quarantines at the third strike, and never what runs in the engine', () => {
  const supervision = new Supervision(remote, policy);
  assert.deepEqual([supervision.struck('a'), supervision.struck('b')], [undefined, undefined]);
  assert.equal(supervision.struck('c')?.message, 'it broke its contract 3 times; the last: c');
  const trusted = new Supervision(embedded, policy);
  assert.deepEqual(
    Array.from({ length: 5 }, () => trusted.struck('a')),
    Array.from({ length: 5 }, () => undefined),
  );
});

test('Supervision.failedToStart() tries again only what may be another time', () => {
  const judged = (plugin: typeof remote | typeof embedded, error: Error) => {
    const { state, retryMs } = new Supervision(plugin, policy).failedToStart(error);
    return [state, retryMs];
  };
  assert.deepEqual(judged(remote, new Error('no')), ['backoff', 100]);
  assert.deepEqual(judged(embedded, new Error('no')), ['failed', undefined]);
  assert.deepEqual(judged(remote, conflict('no', { reason: 'NO_COMMON_VERSION' })), ['incompatible', undefined]);
  assert.deepEqual(judged(remote, invalidArgument('no', { reason: 'MISCONFIGURED' })), ['misconfigured', undefined]);
  assert.deepEqual(judged(remote, conflict('no', { reason: 'WRONG_PROOF' })), ['quarantined', 1_000]);
});

test('Probation.fail() is true once, and only while it lasts; who passes it is told', async () => {
  const probation = new Probation();
  let passed = 0;
  const onPassed = (): void => void (passed += 1);
  assert.equal(probation.fail(), false);
  probation.begin(60_000, onPassed);
  assert.deepEqual([probation.fail(), probation.fail()], [true, false]);
  probation.begin(1, onPassed);
  await sleep(20);
  assert.deepEqual([probation.fail(), passed], [false, 1]);
  probation.begin(1, onPassed);
  probation.end();
  await sleep(20);
  assert.deepEqual([probation.fail(), passed], [false, 1]);
});
