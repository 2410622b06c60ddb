import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { create, type ExecCases, type ExecUnderTest, finish, nextExit, running, until } from './conformance-harness.ts';

/** Ends, whoever was there to see them. */
export const watchCases: ExecCases = {
  'watch.replays': async (subject) => {
    await using container = await create(subject, { script: 'exit 5' });
    await finish(subject, container.id);
    assert.equal((await nextExit(subject, container.id)).exitCode, 5);
  },
  'restart.container-lives': async (subject) => {
    await using container = await create(subject, { script: 'sleep 60' });
    await subject.driver.start(container, subject.ctx);
    const again = { ...subject, driver: await subject.restart() };
    assert.equal((await again.driver.state(container, subject.ctx)).status, 'running');
    const exit = nextExit(again, container.id);
    await again.driver.signal({ id: container.id, signal: 9 }, subject.ctx);
    assert.equal((await exit).exitCode, 137);
    await again.driver.delete({ id: container.id, force: false }, subject.ctx);
  },
  'watch.order': async (subject) => {
    await using seen = watched(subject);
    const made: string[] = [];
    for (let index = 0; index < 3; index += 1) {
      await using container = await create(subject, { script: 'true' });
      await finish(subject, container.id);
      made.push(container.id);
    }
    await until(() => made.every((id) => seen.ids.includes(id)));
    assert.deepEqual(
      seen.ids.filter((id) => made.includes(id)),
      made,
    );
  },
  'watch.from-now': async (subject) => {
    await using past = await create(subject, { script: 'exit 5' });
    await finish(subject, past.id);
    await using seen = watched(subject, 1);
    // It listens from its first turn on.
    await sleep(100);
    await using next = await create(subject, { script: 'exit 6' });
    await finish(subject, next.id);
    await until(() => seen.ids.includes(next.id));
    assert.ok(!seen.ids.includes(past.id), 'what is past was told');
  },
  'watch.all-who-listen': async (subject) => {
    await using container = await running(subject);
    const exits = Array.from({ length: 20 }, () => nextExit(subject, container.id));
    await subject.driver.signal({ id: container.id, signal: 9 }, subject.ctx);
    // One who comes meanwhile takes nothing from the others.
    exits.push(nextExit(subject, container.id));
    assert.deepEqual(new Set((await Promise.all(exits)).map(({ exitCode }) => exitCode)), new Set([137]));
  },
  'watch.no-lost-exit-on-restart': async (subject) => {
    const container = await running(subject, { script: 'sleep 0.2; exit 6' });
    const again = await restarted(subject, () => sleep(500));
    assert.equal((await nextExit(again, container.id)).exitCode, 6);
    const { status, exitCode } = await again.driver.state(container, subject.ctx);
    assert.deepEqual([status, exitCode], ['stopped', 6]);
    await again.driver.delete({ id: container.id, force: false }, subject.ctx);
  },
  'watch.no-exit-twice': async (subject) => {
    await using container = await create(subject, { script: 'true' });
    await using seen = watched(subject);
    await finish(subject, container.id);
    await until(() => seen.ids.includes(container.id));
    await sleep(50);
    assert.equal(seen.ids.filter((id) => id === container.id).length, 1);
  },
};

/** Of a plugin that has a process of its own. */
export const killedCases: ExecCases = {
  'restart.driver-killed-container-lives': async (subject) => {
    const container = await running(subject);
    const again = { ...subject, driver: (await subject.kill?.()) ?? assert.fail('it cannot be killed') };
    const state = await again.driver.state(container, subject.ctx);
    assert.deepEqual([state.status, state.pid], ['running', container.pid]);
    const exec = subject.exec(container.request, { script: 'exit 9', detached: true });
    const exit = nextExit(again, container.id, { execId: exec.execId });
    await again.driver.exec(exec, subject.ctx);
    assert.equal((await exit).exitCode, 9);
    await again.driver.execDelete(exec, subject.ctx);
    await again.driver.signal({ id: container.id, signal: 9 }, subject.ctx);
    assert.equal((await nextExit(again, container.id)).exitCode, 137);
    await again.driver.delete({ id: container.id, force: false }, subject.ctx);
  },
};

/** The containers whose ends are told, until disposed. */
function watched({ driver, ctx }: ExecUnderTest, after = 0): { readonly ids: readonly string[] } & AsyncDisposable {
  const ids: string[] = [];
  const stop = new AbortController();
  const ended = (async () => {
    for await (const { id } of driver.watch({ after }, { ...ctx, signal: stop.signal })) ids.push(id);
  })();
  return {
    ids,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await assert.rejects(ended, { name: 'AbortError' });
    },
  };
}

async function restarted(subject: ExecUnderTest, meanwhile?: () => Promise<void>): Promise<ExecUnderTest> {
  return { ...subject, driver: await subject.restart(meanwhile) };
}
