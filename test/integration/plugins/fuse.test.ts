import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineEvent } from '@gantry/sdk/engine';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { noLeaks } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { missing, missingForSquashfuse, squashfsImage } from '../../support/disks/squashfs.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const skip = missingForSquashfuse() ?? false;
const pluginDirs = [join(import.meta.dirname, '../../examples')];
const death = 'its helper squashfuse was ended by SIGKILL';

test('a container reads a FUSE volume of a plugin in a sandbox, also while the plugin is stopped and gone', { skip }, async () => {
  await readOnce();
  await using _nothingLeft = noLeaks();
  await readOnce();
});

test('a FUSE volume whose helper dies is broken: event, inspect, I/O errors and no empty folder; who comes later sees it again', {
  skip,
}, async () => {
  await using house = await openHouse();
  const { engine } = house.under;
  await using container = await house.under.sleeping({ hostConfig: { Binds: ['pictures:/pictures'] } });
  const events = house.events('volume');
  house.killHelper();
  const [event] = await events.next('broken');
  assert.deepEqual(event?.actor, { id: 'pictures', attributes: { driver: 'squashfs', reason: death, containers: container.id } });
  assert.equal(container.inspect().mounts[0]?.broken, death);
  assert.equal((await engine.volumes.inspect('pictures')).status?.['broken'], `${container.id.slice(0, 12)}: ${death}`);
  const { exitCode, stderr } = await house.under.exec(container.id, ['sh', '-c', 'echo new > /pictures/new']);
  assert.notEqual(exitCode, 0);
  assert.match(stderr, /not connected/);
  assert.equal(container.inspect().state.running, true);
  assert.deepEqual(await house.under.run('cat /pictures/file', { hostConfig: { Binds: ['pictures:/pictures'] } }), seen);
  await engine.containers.restart(container.id);
  assert.equal(container.inspect().mounts[0]?.broken, undefined);
  assert.deepEqual(await house.under.exec(container.id, ['cat', '/pictures/file']), seen);
  assert.equal((await engine.volumes.inspect('pictures')).status, undefined);
});

for (const [policy, script] of [
  ['always', 'sleep 600'],
  ['on-failure', 'trap "exit 0" TERM; sleep 600 & wait'],
] as const) {
  test(`a container with restart policy ${policy} is started again when the helper of its volume dies`, { skip }, async () => {
    await using house = await openHouse();
    const { containers } = house.under.engine;
    const wishes = { hostConfig: { Binds: ['pictures:/pictures'], RestartPolicy: { Name: policy } }, config: { StopTimeout: 1 } };
    await using container = await house.under.created(script, wishes);
    await containers.start(container.id);
    const { startedAt } = containers.inspect(container.id).state;
    const events = house.events('container');
    house.killHelper();
    await events.next('start');
    const again = containers.inspect(container.id);
    assert.notEqual(again.state.startedAt, startedAt);
    assert.equal(again.restartCount, 1);
    assert.equal(again.mounts[0]?.broken, undefined);
    assert.deepEqual(await house.under.exec(container.id, ['cat', '/pictures/file']), seen);
  });
}

test('an engine that follows another finds the helpers of running containers, and those that ended meanwhile', { skip }, async () => {
  await using house = await openHouse();
  await using container = await house.under.sleeping({ hostConfig: { Binds: ['pictures:/pictures'] } });
  await house.under.reopen();
  assert.deepEqual(await house.under.exec(container.id, ['cat', '/pictures/file']), seen);
  assert.equal(container.inspect().mounts[0]?.broken, undefined);
  await house.under.close();
  house.killHelper();
  await sleep(100);
  await house.under.reopen();
  await house.under.engine.recovered;
  assert.equal(container.inspect().mounts[0]?.broken, 'its helper squashfuse ended while no engine ran');
  assert.equal(container.inspect().state.running, true);
});

const seen = { exitCode: 0, stdout: 'inside\n', stderr: '' };

async function readOnce(): Promise<void> {
  await using house = await openHouse();
  const { engine } = house.under;
  await using container = await house.under.sleeping({ hostConfig: { Binds: ['pictures:/pictures'] } });
  const [plugin] = engine.plugins.list().filter(({ name }) => name === 'squashfs');
  assert.deepEqual([plugin?.state, plugin?.placement], ['ready', 'process']);
  await engine.plugins.disable('squashfs');
  assert.deepEqual(await house.under.exec(container.id, ['cat', '/pictures/file']), seen);
  const { stderr } = await house.under.exec(container.id, ['touch', '/pictures/new']);
  assert.match(stderr, /Read-only file system/);
  await engine.plugins.enable('squashfs');
}

async function openHouse() {
  const under = await EngineUnderTest.open({ pluginDirs });
  const image = join(under.folder, 'pictures.img');
  squashfsImage(image, { file: 'inside\n' });
  await under.engine.volumes.create({ name: 'pictures', driver: 'squashfs', options: { image } });
  const helpers = join(under.folder, 'exec', 'helpers');
  const following = new AbortController();
  return {
    under,
    killHelper: () => {
      const [id = assert.fail('no helper runs')] = readdirSync(helpers);
      const { pid } = JSON.parse(readFileSync(join(helpers, id, 'record.json'), 'utf8')) as { readonly pid: number };
      process.kill(pid, 'SIGKILL');
    },
    /** From now on. */
    events: (type: EngineEvent['type']) => {
      const stream = under.engine.events.subscribe({ filters: { type: [type] }, signal: following.signal })[Symbol.asyncIterator]();
      const first = stream.next();
      let next: ReturnType<typeof stream.next> | undefined = first;
      return {
        next: async (action: string): Promise<readonly EngineEvent[]> => {
          for (;;) {
            const { value } = await (next ?? stream.next());
            next = undefined;
            if (value === undefined || value.action === action) return value === undefined ? [] : [value];
          }
        },
      };
    },
    async [Symbol.asyncDispose]() {
      following.abort();
      await under.engine.volumes.remove('pictures', { force: true }).catch(() => undefined);
      await under[Symbol.asyncDispose]();
    },
  };
}

test('a container runs on layers that fuse-overlayfs shows', { skip: missing('/usr/bin/fuse-overlayfs') ?? false }, async () => {
  await using under = await EngineUnderTest.open({ storageDriver: 'fuse-overlayfs' });
  const { exitCode, stdout } = await under.run(
    'echo new > /etc/new; cat /etc/new; grep " / " /proc/self/mountinfo | grep -o "fuse[.a-z-]*" | head -n 1; exit 3',
    {
      hostConfig: { NetworkMode: 'none' },
    },
  );
  assert.deepEqual([exitCode, stdout], [3, 'new\nfuse.fuse-overlayfs\n']);
});
