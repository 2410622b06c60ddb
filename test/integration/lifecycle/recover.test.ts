import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { LifecycleUnderTest, testRoot } from '../../support/engine/lifecycle.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const root = testRoot();
let engine: LifecycleUnderTest;
before(async () => {
  await open();
  await engine.run('true');
});
after(async () => {
  await engine[Symbol.asyncDispose]();
  root[Symbol.dispose]();
});
leakGuard();

test('Lifecycle.start() takes over a running container, sees its end and its output from before and after', async () => {
  const id = await engine.create('echo before; while ! [ -e /go ]; do sleep 0.02; done; echo after; exit 6');
  await engine.containers.start(id);
  const { pid } = engine.containers.inspect(id).state;
  await reopen();
  const { status, pid: samePid } = engine.containers.inspect(id).state;
  assert.deepEqual([status, samePid], ['running', pid]);
  const { result } = engine.containers.wait(id, 'not-running');
  const { id: exec } = await engine.execs.create(id, { cmd: ['touch', '/go'] });
  await engine.execs.start(exec, { detach: true });
  assert.equal((await result).exitCode, 6);
  await until(() => /before[\s\S]*after/.test(readFileSync(engine.containers.inspect(id).paths.log, 'utf8')));
  await engine.containers.remove(id);
});

test('Lifecycle.start() collects the exit code of a container that ended while no engine ran', async () => {
  const id = await engine.create('sleep 0.2; exit 7');
  await engine.containers.start(id);
  await reopen(() => sleep(500));
  const { status, exitCode } = engine.containers.inspect(id).state;
  assert.deepEqual([status, exitCode], ['exited', 7]);
  await engine.containers.remove(id);
});

test('Lifecycle.start() applies the restart policy to a container that ended while no engine ran, once', async () => {
  const id = await engine.create('sleep 0.2; exit 7', {
    hostConfig: { NetworkMode: 'none', RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 1 } },
  });
  await engine.containers.start(id);
  await reopen(() => sleep(400));
  await until(() => engine.containers.inspect(id).state.status === 'exited');
  assert.equal(engine.containers.inspect(id).restartCount, 1);
  await engine.containers.remove(id);
});

test('Lifecycle.start() removes what should have gone with its end', async () => {
  const id = await engine.create('sleep 0.2', { hostConfig: { NetworkMode: 'none', AutoRemove: true } });
  await engine.containers.start(id);
  await reopen(() => sleep(400));
  assert.throws(() => engine.containers.inspect(id), { code: 'not_found' });
});

async function open(): Promise<void> {
  engine = await LifecycleUnderTest.open(root.path);
  await engine.images.add('busybox');
}

async function reopen(meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<void> {
  await engine[Symbol.asyncDispose]();
  await meanwhile();
  await open();
  await engine.recovered;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; !(await holds()); attempt += 1) {
    assert.ok(attempt < 500, 'waited for 5 s in vain');
    await sleep(10);
  }
}
