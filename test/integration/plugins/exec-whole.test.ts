import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createEngine } from '../../../core/index.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { writeFiles } from '../../support/plugins/plugin-sources.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const hostConfig = { Runtime: 'memory' };

/** A driver that runs its containers itself, in this process: the machine is the module's, so that they outlive an engine. */
function writePlugin(folder: string): void {
  writeFiles(join(folder, 'plugins/memory'), {
    'main.ts': `import { exec } from '@gantry/sdk/author';
import { MemoryExecDriver, MemoryMachine } from '@gantry/sdk/testing';
const machine = new MemoryMachine();
export default exec({ name: 'memory', open: () => new MemoryExecDriver(machine), close: (driver) => driver.close() });
`,
    'gantry-plugin.json': {
      manifestVersion: 1,
      name: 'memory',
      version: '0.1.0',
      provides: [{ contract: 'exec', versions: ['v1'], drivers: ['memory'] }],
      entry: { node: 'main.ts' },
      placement: ['in-process'],
    },
  });
}

test('docker run --runtime takes an exec driver that runs its containers itself, for those that ask for it', {
  timeout: 60_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'whole-'));
  writePlugin(folder);
  const options = {
    pluginDirs: [join(folder, 'plugins')],
    pluginPlacement: { memory: 'in-process' as const },
    dataRoot: join(folder, 'data'),
    execRoot: join(folder, 'exec'),
  };
  let id = '';
  {
    await using under = await EngineUnderTest.open(options);
    const { containers, plugins, system } = under.engine;
    assert.deepEqual(await under.run('echo out; echo err >&2; exit 3', { hostConfig }), { exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
    assert.ok((await system.info()).runtimes.some(({ name }) => name === 'memory'));
    id = await under.create('while true; do sleep 0.05; done', { hostConfig });
    await containers.start(id);
    // No process of the kernel has such a number: it is the driver's.
    assert.ok(containers.inspect(id).state.pid >= 5_000_000);
    assert.deepEqual(await under.exec(id, ['/bin/sh', '-c', 'echo inside; exit 4']), { exitCode: 4, stdout: 'inside\n', stderr: '' });
    await containers.pause(id);
    await containers.unpause(id);
    // Others are in the hands of the engine's own driver meanwhile.
    assert.equal((await under.run('test -d /proc/1')).exitCode, 0);
    assert.deepEqual(
      plugins.users('memory').map((user) => [user.id, user.hard]),
      [[id, true]],
    );
    assert.ok(!plugins.users('exec-oci').some((user) => user.id === id));
    await assert.rejects(plugins.disable('memory'), { code: 'conflict', message: /plugin memory is in use by container/ });
    const restarting = await under.create('exit 1', {
      hostConfig: { ...hostConfig, RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
    });
    const ended = containers.wait(restarting, 'next-exit').result;
    await containers.start(restarting);
    await ended;
    while (containers.inspect(restarting).state.status !== 'exited') await containers.wait(restarting, 'not-running').result;
    assert.equal(containers.inspect(restarting).restartCount, 2);
    await containers.remove(restarting, { force: true, volumes: true });
  }
  {
    await using engine = await createEngine(options);
    await engine.recovered;
    assert.equal(engine.containers.inspect(id).state.status, 'running');
    const { result } = engine.containers.wait(id, 'next-exit');
    await engine.containers.kill(id, { signal: 'KILL' });
    assert.equal((await result).exitCode, 137);
    await engine.containers.remove(id, { force: true, volumes: true });
    assert.deepEqual(engine.plugins.users('memory'), []);
  }
  rmSync(folder, { recursive: true });
});
