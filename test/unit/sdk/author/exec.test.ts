import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { exec, ociRuntime, t } from '@gantry/sdk/author';
import { isDescribing } from '@gantry/sdk/exec';
import { hostFor, MemoryExecDriver, MemoryMachine, type TestHost } from '@gantry/sdk/testing';

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

test('exec() opens a whole driver once per start, with the settings, and closes it', async () => {
  const machine = new MemoryMachine({ programs: { greet: ({ print }) => print('hello').then(() => 5) } });
  const did: string[] = [];
  await using host = await hostFor(
    exec({
      name: 'memory',
      settings: { level: t.Integer({ default: 3 }) },
      open: ({ settings }) => {
        did.push(`open ${settings.level}`);
        return new MemoryExecDriver(machine);
      },
      close: () => void did.push('close'),
    }),
  );
  const folder = host.context.runDir;
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ process: { args: ['greet'] } }));
  const created = { id: 'c', bundle: folder, spoolDir: folder, spoolMaxBytes: 0, tty: false, openStdin: false, stdinOnce: false };
  const driver = () => {
    const found = host.driver('exec');
    assert.ok(!isDescribing(found));
    return found;
  };
  await driver().create(created, host.ctx());
  await host.restart();
  await driver().start({ id: 'c' }, host.ctx());
  for await (const { id, exitCode } of driver().watch({ after: 0 }, host.ctx())) {
    assert.deepEqual([id, exitCode], ['c', 5]);
    break;
  }
  assert.match(readFileSync(join(folder, 'ctr.log'), 'utf8'), /stdout P hello\n/);
  assert.deepEqual(did, ['open 3', 'close', 'open 3']);
  assert.deepEqual(host.manifest.placement, ['in-process']);
});
