import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { LifecycleUnderTest, testRoot } from '../../support/engine/lifecycle.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const root = testRoot();
let engine: LifecycleUnderTest;
before(async () => {
  engine = await LifecycleUnderTest.open(root.path);
  await engine.images.add('busybox');
  await engine.run('true');
});
after(async () => {
  await engine[Symbol.asyncDispose]();
  root[Symbol.dispose]();
});
leakGuard();

test('a container whose annotation says so is restarted when it is unhealthy', async () => {
  const Healthcheck = { Test: ['CMD', 'test', '!', '-e', '/sick'], Interval: 5e7, Retries: 2 };
  const Annotations = { 'io.gantry.on-unhealthy': 'restart' };
  const script = 'test -e /once && exec sleep 1000; touch /once /sick; exec sleep 1000';
  const config = { Image: 'busybox', Cmd: ['sh', '-c', script], StopSignal: 'SIGKILL', Healthcheck };
  const id = await engine.create('', { config, hostConfig: { NetworkMode: 'none', Annotations } });
  await engine.containers.start(id);
  const first = engine.containers.inspect(id).state.pid;
  // The second run finds the file still there: it is removed for it, as a repair would.
  await engine.containers.wait(id, 'next-exit').result;
  const deadline = Date.now() + 20_000;
  while (!(engine.containers.inspect(id).state.pid > 0 && engine.containers.inspect(id).state.pid !== first)) {
    assert.ok(Date.now() < deadline, JSON.stringify(engine.containers.inspect(id).state));
    await sleep(20);
  }
  await engine.containers.remove(id, { force: true });
  await assert.rejects(
    engine.create('', { config, hostConfig: { NetworkMode: 'none', Annotations: { 'io.gantry.on-unhealthy': 'explode' } } }),
    { code: 'invalid_argument', message: 'invalid annotation io.gantry.on-unhealthy=explode' },
  );
});

test('a log since the start that inspect shows has the first line', async () => {
  const id = await engine.create('echo first');
  await engine.containers.start(id);
  await engine.containers.wait(id, 'not-running').result;
  const { startedAt } = engine.containers.inspect(id).state;
  const [, nanos = ''] = /\.(\d+)Z$/.exec(startedAt) ?? [];
  const since = { seconds: Math.floor(Date.parse(startedAt) / 1e3), nanos: Number(nanos.padEnd(9, '0')) };
  const { lines } = await engine.containers.logs(id, { stdout: true, stderr: true, since });
  assert.deepEqual(
    (await Array.fromAsync(lines)).flat().map(({ data }) => data.toString()),
    ['first\n'],
  );
  await engine.containers.remove(id);
});

test('annotations of a container are shown and not told to its runtime, and an empty name is refused', async () => {
  const Annotations = { 'org.example.note': 'kept' };
  const id = await engine.create('sleep 1000', {
    config: { Image: 'busybox', Cmd: ['sleep', '1000'], StopSignal: 'SIGKILL' },
    hostConfig: { NetworkMode: 'none', Annotations },
  });
  await engine.containers.start(id);
  assert.deepEqual(engine.containers.inspect(id).hostConfig.Annotations, Annotations);
  const [spec = assert.fail('no bundle')] = globSync(`${root.path}/**/${id}/config.json`);
  assert.doesNotMatch(readFileSync(spec, 'utf8'), /org\.example\.note/);
  await engine.containers.remove(id, { force: true });
  await assert.rejects(engine.create('true', { hostConfig: { NetworkMode: 'none', Annotations: { '': 'x' } } }), {
    code: 'invalid_argument',
  });
});
