import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exec, ociRuntime } from '@gantry/sdk/author';
import { isDescribing } from '@gantry/sdk/exec';
import { hostFor, type TestHost } from '@gantry/sdk/testing';

const spec = { process: { args: ['/app.wasm', '-v'], env: ['A=1'], cwd: '/srv' } };
const request = { id: 'c1', containerName: 'web', labels: { tier: 'front' } };

/** What the one driver of a plugin describes. */
async function describe(host: TestHost, { spec: given = spec } = {}) {
  const driver = host.driver('exec');
  assert.ok(isDescribing(driver));
  return await driver.describe({ ...request, spec: given }, host.ctx());
}

test('ociRuntime() asks for exactly what it describes', async () => {
  await using host = await hostFor(ociRuntime({ name: 'gvisor', binary: 'runsc', flags: ['--platform=systrap'] }));
  const { run } = await describe(host);
  assert.deepEqual(run, { kind: 'runtime', program: 'runsc', arguments: ['--platform=systrap'] });
  const { provides, privileges, placement } = host.manifest;
  assert.deepEqual(provides, [{ contract: 'exec', versions: ['v1'], drivers: ['gvisor'], features: ['describe'] }]);
  assert.deepEqual([privileges, placement], [{ runtimes: ['runsc --platform=systrap'] }, ['process', 'worker', 'in-process']]);
});

test('exec() describes a program with what is known of the container, and refuses one that it does not accept', async () => {
  await using host = await hostFor(
    exec({
      name: 'wasm',
      accepts: (container) => container.spec.process.args[0]?.endsWith('.wasm') === true,
      describe: ({ spec: { process }, rootfs, name, labels }) => ({
        argv: ['/usr/bin/wasmtime', 'run', '--dir', `${rootfs}::/`, ...process.args, name, labels['tier'] ?? ''],
      }),
    }),
  );
  const { run } = await describe(host);
  const argv = ['/usr/bin/wasmtime', 'run', '--dir', '/rootfs::/', '/app.wasm', '-v', 'web', 'front'];
  assert.deepEqual(run, { kind: 'program', argv, env: ['A=1'] });
  const other = describe(host, { spec: { process: { ...spec.process, args: ['sh'] } } });
  await assert.rejects(other, { code: 'invalid_argument', message: 'runtime wasm cannot run container web' });
});
