import assert from 'node:assert/strict';
import { create, type ExecCases, finish, gone, nextExit, outputOf, refuses, running, until, untilSpooled } from './conformance-harness.ts';

/** From create to delete. */
export const lifeCases: ExecCases = {
  'create.state-created': async (subject) => {
    await using container = await create(subject, { script: 'echo hi' });
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'created');
    assert.ok(container.pid > 0);
  },
  'create.again-is-the-same': async (subject) => {
    await using container = await create(subject, { script: 'true' });
    assert.equal((await subject.driver.create(container.request, subject.ctx)).pid, container.pid);
  },
  'create.failure-leaves-nothing': async (subject) => {
    const request = subject.container({ args: ['/no/such/program'] });
    await assert.rejects(subject.driver.create(request, subject.ctx), { reason: 'COMMAND_NOT_FOUND' });
    assert.equal((await subject.driver.state({ id: request.id }, subject.ctx)).status, 'unknown');
    await subject.driver.delete({ id: request.id, force: true }, subject.ctx);
  },
  'create.not-executable': async (subject) => {
    await assert.rejects(subject.driver.create(subject.container({ args: ['/etc/passwd'] }), subject.ctx), {
      reason: 'COMMAND_NOT_EXECUTABLE',
    });
  },
  'start.exit-code-of-the-program': async (subject) => {
    await using container = await create(subject, { script: 'exit 7' });
    const exit = nextExit(subject, container.id);
    await subject.driver.start(container, subject.ctx);
    assert.equal((await exit).exitCode, 7);
    const state = await subject.driver.state(container, subject.ctx);
    assert.deepEqual([state.status, state.exitCode], ['stopped', 7]);
  },
  'start.twice': async (subject) => {
    await using container = await create(subject, { script: 'sleep 60' });
    await subject.driver.start(container, subject.ctx);
    await refuses('conflict', subject.driver.start(container, subject.ctx));
  },
  'start.signal-exit-137': async (subject) => {
    await using container = await create(subject, { script: 'sleep 60' });
    await subject.driver.start(container, subject.ctx);
    const exit = nextExit(subject, container.id);
    await subject.driver.signal({ id: container.id, signal: 9 }, subject.ctx);
    assert.equal((await exit).exitCode, 137);
    await refuses('conflict', subject.driver.signal({ id: container.id, signal: 9 }, subject.ctx));
  },
  'delete.force': async (subject) => {
    await using container = await create(subject, { script: 'sleep 60' });
    await subject.driver.start(container, subject.ctx);
    await refuses('conflict', subject.driver.delete({ id: container.id, force: false }, subject.ctx));
    await subject.driver.delete({ id: container.id, force: true }, subject.ctx);
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'unknown');
    await subject.driver.delete({ id: container.id, force: false }, subject.ctx);
  },
  'delete.created': async (subject) => {
    await using container = await create(subject, { script: 'true' });
    await subject.driver.delete({ id: container.id, force: true }, subject.ctx);
    await gone(container.pid);
  },
  'delete.paused': async (subject) => {
    await using container = await running(subject);
    await subject.driver.pause({ id: container.id, resume: false }, subject.ctx);
    await subject.driver.delete({ id: container.id, force: true }, subject.ctx);
  },
  'pause-resume': async (subject) => {
    await using container = await running(subject);
    await subject.driver.pause({ id: container.id, resume: false }, subject.ctx);
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'paused');
    await subject.driver.pause({ id: container.id, resume: true }, subject.ctx);
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'running');
  },
  'pause-kill': async (subject) => {
    await using container = await running(subject);
    await subject.driver.pause({ id: container.id, resume: false }, subject.ctx);
    await subject.driver.signal({ id: container.id, signal: 9 }, subject.ctx);
    // It may have ended by now, as what is frozen by cgroup v2 does; else it ends now.
    await subject.driver.pause({ id: container.id, resume: true }, subject.ctx);
    assert.equal((await nextExit(subject, container.id)).exitCode, 137);
  },
  'pids.and-stats': async (subject) => {
    // It works: a kernel may count in ticks, and what sleeps has none.
    await using container = await running(subject, { script: 'while true; do :; done' });
    const { pids } = await subject.driver.pids(container, subject.ctx);
    assert.ok(pids.includes(container.pid), `${pids.join(' ')} has no ${container.pid}`);
    await until(async () => (await subject.driver.stats(container, subject.ctx)).cpu.totalNs > 0);
  },
  'ids.stay-inside': async (subject) => {
    const request = { ...subject.container({ script: 'true' }), id: '../../escape' };
    await refuses('invalid_argument', subject.driver.create(request, subject.ctx));
  },
  'state.missing': async ({ driver, ctx }) => {
    await refuses('not_found', driver.start({ id: 'nope' }, ctx));
    await refuses('not_found', driver.signal({ id: 'nope', signal: 15 }, ctx));
    await refuses('not_found', driver.stats({ id: 'nope' }, ctx));
  },
  'start.exit-code-0/1/126/127': async (subject) => {
    for (const exitCode of [0, 1, 126, 127, 255])
      assert.equal((await outputOf(subject, { script: `exit ${exitCode}` })).exitCode, exitCode);
  },
  'start.missing-binary-message': async (subject) => {
    for (const [args, message] of [
      [['nosuchprogram'], /exec: "nosuchprogram": executable file not found in \$PATH/],
      [['/no/such'], /exec: "\/no\/such": stat \/no\/such: no such file or directory/],
      [['/etc/passwd'], /exec: "\/etc\/passwd": permission denied/],
    ] as const) {
      await assert.rejects(subject.driver.create(subject.container({ args }), subject.ctx), { code: 'invalid_argument', message });
    }
  },
  'start.pid': async (subject) => {
    await using container = await running(subject);
    const state = await subject.driver.state(container, subject.ctx);
    assert.deepEqual([state.status, state.pid], ['running', container.pid]);
  },
  'signal.term': async (subject) => {
    await using container = await create(subject, { script: `trap 'exit 5' TERM; echo ready; while true; do sleep 0.02; done` });
    await subject.driver.start(container, subject.ctx);
    await untilSpooled(container.request, 'ready');
    await subject.driver.signal({ id: container.id, signal: 15 }, subject.ctx);
    assert.equal((await nextExit(subject, container.id)).exitCode, 5);
  },
  'signal.unknown': async (subject) => {
    await using container = await running(subject);
    for (const signal of [-1, 0, 65, 1_000])
      await refuses('invalid_argument', subject.driver.signal({ id: container.id, signal }, subject.ctx));
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'running');
  },
  'signal.all': async (subject) => {
    await using container = await create(subject, {
      script: `trap '' TERM; (trap 'exit 3' TERM; echo ready; while true; do sleep 0.02; done); exit $?`,
    });
    await subject.driver.start(container, subject.ctx);
    await untilSpooled(container.request, 'ready');
    await subject.driver.signal({ id: container.id, signal: 15, all: true }, subject.ctx);
    assert.equal((await nextExit(subject, container.id)).exitCode, 3);
  },
  'signal.after-exit': async (subject) => {
    await using container = await create(subject, { script: 'true' });
    await finish(subject, container.id);
    await refuses('conflict', subject.driver.signal({ id: container.id, signal: 15 }, subject.ctx));
  },
  'delete.twice': async (subject) => {
    await using container = await create(subject, { script: 'true' });
    await finish(subject, container.id);
    await subject.driver.delete({ id: container.id, force: false }, subject.ctx);
    await subject.driver.delete({ id: container.id, force: false }, subject.ctx);
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'unknown');
  },
  'delete.makes-room-for-the-same-id': async (subject) => {
    const request = subject.container({ script: 'exit 4' });
    for (let time = 0; time < 2; time += 1) {
      await subject.driver.create(request, subject.ctx);
      assert.equal((await finish(subject, request.id)).exitCode, 4);
      await subject.driver.delete({ id: request.id, force: false }, subject.ctx);
    }
  },
};
