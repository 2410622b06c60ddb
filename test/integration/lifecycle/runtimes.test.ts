import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });
before(async () => {
  await using subject = await EngineUnderTest.open();
  await subject.run('true');
});
leakGuard();

test('EngineOptions.runtimes and defaultRuntime are those of containers that name none; inspect says which', async () => {
  const runtimes = { mine: { path: '/usr/bin/crun', runtimeArgs: ['--debug'] }, broken: { path: '/nosuch/runtime' } };
  await using subject = await EngineUnderTest.open({ runtimes, defaultRuntime: 'mine' });
  const info = await subject.engine.system.info();
  assert.equal(info.defaultRuntime, 'mine');
  assert.deepEqual(info.runtimes.map(({ name }) => name).toSorted(), ['crun', 'mine', 'runc']);
  for (const [given, expected] of [
    [{}, 'mine'],
    [{ Runtime: 'mine' }, 'mine'],
    [{ Runtime: 'runc' }, 'runc'],
  ] as const) {
    await using container = await subject.sleeping({ hostConfig: given });
    assert.equal(container.inspect().hostConfig.Runtime, expected);
  }
  for (const Runtime of ['broken', 'unheard-of'])
    await assert.rejects(subject.create('true', { hostConfig: { Runtime } }), {
      code: 'invalid_argument',
      message: `unknown or invalid runtime name: ${Runtime}`,
    });
});

test('Containers.create() records the first runtime that works when nobody named one', async () => {
  await using subject = await EngineUnderTest.open();
  await using container = await subject.created();
  assert.equal(subject.engine.containers.inspect(container.id).hostConfig.Runtime, (await subject.engine.system.info()).defaultRuntime);
});
