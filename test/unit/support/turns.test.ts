import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Turns } from '../../../core/support/turns.ts';

test('Turns.take() lets so many in, the next when one leaves, and none that gave up', async () => {
  const turns = new Turns(1);
  const seen: string[] = [];
  const { signal } = new AbortController();
  const impatient = new AbortController();
  const enter = async (name: string, by: AbortSignal): Promise<Disposable> => {
    const taken = await turns.take({ signal: by });
    seen.push(name);
    return taken;
  };
  const first = await enter('first', signal);
  const second = enter('second', impatient.signal);
  const third = enter('third', signal);
  impatient.abort(new Error('enough'));
  await assert.rejects(second, { message: 'enough' });
  await assert.rejects(enter('late', impatient.signal), { message: 'enough' });
  await turn();
  assert.deepEqual(seen, ['first']);
  first[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  (await enter('fourth', signal))[Symbol.dispose]();
  assert.deepEqual(seen, ['first', 'third', 'fourth']);
});
