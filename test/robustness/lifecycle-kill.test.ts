import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { LifecycleUnderTest, testRoot } from '../support/engine/lifecycle.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const root = testRoot();
const child = fileURLToPath(new URL('../support/engine/lifecycle-child.ts', import.meta.url));
before(async () => {
  await withEngine((engine) => engine.run('true', { hostConfig: { NetworkMode: 'none', Binds: ['/anonymous'] } }));
  await promisify(execFile)('true');
});
after(() => root[Symbol.dispose]());
leakGuard({ roots: [root.path] });

for (const point of ['name.reserve', 'id.dir', 'rw.layer', 'volumes.copyup', 'meta.txn', 'event']) {
  test(`an engine killed at create.${point} leaves a container that can be started, or nothing`, async () => {
    await killedAt(`create.${point}`, 'create');
    await withEngine(async (engine) => {
      const made = engine.containers.list({ all: true });
      assert.equal(made.length, point === 'event' ? 1 : 0);
      const id =
        made[0]?.id ??
        (await engine.create('sleep 60', { name: 'victim', hostConfig: { NetworkMode: 'none', Binds: ['/anonymous', 'named:/named'] } }));
      await engine.containers.start(id);
      await engine.containers.remove(id, { force: true, volumes: true });
      await engine.volumes.remove('named', { force: true });
    });
  });
}

const startPoints = [
  'rw.mount',
  'netns',
  'vol.mount',
  'bundle',
  'intent',
  'monitor.spawn',
  'runtime.create',
  'intent.running',
  'runtime.start',
  'state.persist',
  'event',
];
for (const point of startPoints) {
  test(`an engine killed at start.${point} leaves the container created, or running and taken over`, async () => {
    const id = await withEngine((engine) => engine.create('sleep 60'));
    await killedAt(`start.${point}`, 'start', id);
    await withEngine(async (engine) => {
      const { status, pid } = engine.containers.inspect(id).state;
      const isRunning = startPoints.indexOf(point) >= startPoints.indexOf('runtime.start');
      assert.equal(status, isRunning ? 'running' : 'created');
      if (!isRunning) await engine.containers.start(id);
      else assert.ok(pid > 0);
      const { id: exec } = await engine.execs.create(id, { cmd: ['true'] });
      await engine.execs.start(exec, { detach: true });
      await engine.containers.remove(id, { force: true });
    });
  });
}

for (const [operation, points] of Object.entries({
  stop: [
    'stop.signal',
    'stop.wait',
    'stop.sigkill',
    'stop.exit.collect',
    'stop.net.down',
    'stop.state',
    'stop.umount',
    'stop.restart-policy',
  ],
  kill: ['kill.signal', 'stop.exit.collect', 'stop.state'],
})) {
  for (const point of points) {
    test(`an engine killed at ${point} during ${operation} finds the real exit code and frees everything`, async () => {
      const id = await withEngine(async (engine) => {
        const made = await engine.create('sleep 60');
        await engine.containers.start(made);
        return made;
      });
      await killedAt(point, operation, id);
      await withEngine(async (engine) => {
        if (engine.containers.inspect(id).state.running) await engine.containers.kill(id);
        assert.equal(engine.containers.inspect(id).state.exitCode, 137);
        await engine.containers.start(id);
        await engine.containers.remove(id, { force: true });
      });
    });
  }
}

for (const point of ['kill', 'intent.removing', 'meta.txn', 'vol.unref', 'rw.layer', 'end']) {
  test(`an engine killed at remove.${point} has the container whole, or the next start finishes its removal`, async () => {
    const id = await withEngine(async (engine) => {
      const made = await engine.create('sleep 60', { hostConfig: { NetworkMode: 'none', Binds: ['/anonymous'] } });
      await engine.containers.start(made);
      return made;
    });
    await killedAt(`remove.${point}`, 'remove', id);
    await withEngine(async (engine) => {
      const left = engine.containers.list({ all: true });
      assert.equal(left.length, point === 'kill' || point === 'intent.removing' ? 1 : 0);
      if (left.length > 0) await engine.containers.remove(id, { force: true, volumes: true });
      assert.equal((await engine.volumes.list({})).volumes.length, 0);
    });
  });
}

async function withEngine<T>(work: (engine: LifecycleUnderTest) => Promise<T>): Promise<T> {
  await using engine = await LifecycleUnderTest.open(root.path);
  await engine.images.add('busybox');
  await engine.recovered;
  return await work(engine);
}

async function killedAt(point: string, ...given: readonly string[]): Promise<void> {
  const [operation = '', ...rest] = given;
  const ended = promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', child, root.path, operation, ...rest], {
    env: { ...process.env, GANTRY_FAILPOINTS: `${point}=1*kill` },
  });
  await assert.rejects(ended, { signal: 'SIGKILL' }, `${point} was not reached`);
}
