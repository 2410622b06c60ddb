import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open();
  await under.warm();
});
after(() => under[Symbol.asyncDispose]());

test('Execs.create() takes 256 for a container that have not ended, and another when one has', async () => {
  await using container = await under.sleeping();
  await using other = await under.sleeping();
  const { execs } = under.engine;
  const make = (id: string) => execs.create(id, { cmd: ['true'] });
  const made = await Promise.allSettled(Array.from({ length: 300 }, () => make(container.id)));
  const kept = made.flatMap((each) => (each.status === 'fulfilled' ? [each.value.id] : []));
  assert.equal(kept.length, 256);
  await assert.rejects(make(container.id), {
    code: 'conflict',
    message: `container ${container.id} has 256 execs that have not ended: there cannot be more`,
  });
  await make(other.id);
  const first = kept[0] ?? '';
  await execs.start(first, { detach: true });
  const deadline = Date.now() + 60_000;
  while (execs.inspect(first).exitCode === null && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  await make(container.id);
  await assert.rejects(make(container.id), { code: 'conflict' });
});
