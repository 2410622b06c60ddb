import assert from 'node:assert/strict';
import type { RuntimeCommand } from './contract.ts';
import { type ExecCases, type ExecUnderTest, finish, nextExit } from './conformance-harness.ts';

/** Of a driver with the feature `monitor`. */
export const monitorCases: ExecCases = {
  'command.is-the-runtime': async (subject) => {
    const request = { ...subject.container({ script: 'exit 7' }), command: await ownRuntime(subject) };
    await subject.driver.create(request, subject.ctx);
    assert.equal((await finish(subject, request.id)).exitCode, 7);
    await subject.driver.delete({ id: request.id, force: false }, subject.ctx);
  },
  'command.is-remembered': async (subject) => {
    const request = { ...subject.container({ script: 'while true; do sleep 60; done' }), command: await ownRuntime(subject) };
    await subject.driver.create(request, subject.ctx);
    await subject.driver.start(request, subject.ctx);
    const again = { ...subject, driver: await subject.restart() };
    const exec = subject.exec(request, { script: 'exit 9', detached: true });
    const exit = nextExit(again, request.id, { execId: exec.execId });
    await again.driver.exec(exec, subject.ctx);
    assert.equal((await exit).exitCode, 9);
    await again.driver.pause({ id: request.id, resume: false }, subject.ctx);
    await again.driver.pause({ id: request.id, resume: true }, subject.ctx);
    await again.driver.delete({ id: request.id, force: true }, subject.ctx);
  },
  'command.does-not-work': async (subject) => {
    for (const program of ['/no/such/runtime', '/bin/true']) {
      const request = { ...subject.container({ script: 'true' }), command: { program, arguments: [] } };
      await assert.rejects(subject.driver.create(request, subject.ctx), { code: 'unavailable', message: new RegExp(program) });
      assert.equal((await subject.driver.state(request, subject.ctx)).status, 'unknown');
    }
  },
};

/** One that is known to work here, as somebody else would describe it. */
async function ownRuntime({ driver, ctx }: ExecUnderTest): Promise<RuntimeCommand> {
  const { usable } = await driver.runtimes({}, ctx);
  return { program: usable[0]?.path ?? assert.fail('no runtime works here'), arguments: [] };
}
