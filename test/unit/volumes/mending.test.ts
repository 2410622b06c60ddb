import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Mending } from '../../../core/volumes/mending.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

test('Mending.later() tries until it succeeds, waiting longer each time; what breaks again soon waits longer too', async () => {
  using mending = new Mending(quietLog);
  const tries: number[] = [];
  const began = performance.now();
  const mend = async (): Promise<void> => {
    tries.push(performance.now() - began);
    if (tries.length < 3) throw new Error('not yet');
  };
  mending.later('/a', mend);
  await sleep(1_000);
  assert.equal(tries.length, 3);
  const [first = 0, second = 0, third = 0] = tries;
  assert.ok(first >= 99 && second - first >= 199 && third - second >= 399, tries.join());
  mending.later('/a', mend);
  await sleep(600);
  assert.equal(tries.length, 3, 'the fourth waits 800 ms');
});

test('Mending tries nothing any more when it is disposed', async () => {
  const mending = new Mending(quietLog);
  const mend = (): never => assert.fail('tried');
  mending.later('/a', mend);
  mending[Symbol.dispose]();
  mending.later('/b', mend);
  await sleep(250);
});
