import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Manifest } from '@gantry/sdk';
import type { HostConfig } from '@gantry/sdk/engine';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { writeFiles } from '../../support/plugins/plugin-sources.ts';
import { entry } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });
leakGuard();

const pluginDirs = [join(import.meta.dirname, '../../examples')];
// What stays for all engines of a process: the parent cgroup, libuv's one inotify descriptor.
before(async () => {
  await using under = await EngineUnderTest.open();
  await under.run('true');
});

const runtime = { hostConfig: { Runtime: 'crun-runtime' } };

test('a container whose runtime a plugin describes runs without the plugin', { timeout: 60_000 }, async () => {
  await using under = await EngineUnderTest.open({ pluginDirs });
  const { containers, plugins, system } = under.engine;
  assert.deepEqual(await under.run('echo out; echo err >&2; exit 3', runtime), { exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
  assert.ok((await system.info()).runtimes.some(({ name }) => name === 'crun-runtime'));
  await using container = await under.sleeping(runtime);
  const { pid: pluginPid = 0 } = plugins.inspect('crun-runtime');
  const { pid } = container.inspect().state;
  process.kill(pluginPid, 'SIGKILL');
  await until(() => plugins.inspect('crun-runtime').pid !== pluginPid);
  assert.deepEqual(await under.exec(container.id, ['echo', 'alive']), { exitCode: 0, stdout: 'alive\n', stderr: '' });
  await plugins.disable('crun-runtime');
  assert.deepEqual(await under.exec(container.id, ['echo', 'alive']), { exitCode: 0, stdout: 'alive\n', stderr: '' });
  await containers.pause(container.id);
  await containers.unpause(container.id);
  assert.deepEqual([container.inspect().state.pid, container.inspect().state.status], [pid, 'running']);
  assert.deepEqual(
    plugins.users('crun-runtime').map(({ kind, id, hard }) => ({ kind, id, hard })),
    [{ kind: 'container', id: container.id, hard: false }],
  );
  await assert.rejects(containers.restart(container.id), /plugin crun-runtime is disabled/);
  await plugins.enable('crun-runtime');
  await containers.start(container.id);
  assert.equal(container.inspect().state.status, 'running');
});

test('a program that a plugin describes runs in the place of the image', { timeout: 60_000 }, async () => {
  await using under = await EngineUnderTest.open({ pluginDirs });
  const script = 'echo $0 $1; cat /rootfs/data/f /etc/hostname; ls /; for f in /x /usr/x /etc/x; do touch $f; done; echo new > /rootfs/new';
  await under.image('scripts', [
    entry('main.sh', script),
    entry('main.py', 'import sys, os\nprint(sys.argv, os.getcwd(), os.environ["A"])'),
  ]);
  const run = (cmd: readonly string[], hostConfig: HostConfig = {}) =>
    under.run('', {
      config: { Image: 'scripts', Cmd: cmd, Hostname: 'name', Env: ['A=1'] },
      hostConfig: { Runtime: 'interpreter', Tmpfs: { '/data': '' }, NetworkMode: 'none', ...hostConfig },
    });
  assert.deepEqual(await run(['/main.py', 'a', 'b']), { exitCode: 0, stderr: '', stdout: "['/rootfs/main.py', 'a', 'b'] / 1\n" });
  await assert.rejects(run(['/bin/true']), { code: 'invalid_argument', message: /runtime interpreter cannot run container/ });
  const data = join(under.folder, 'mine');
  mkdirSync(data);
  writeFileSync(join(data, 'f'), 'user data\n');
  const { stdout, stderr, exitCode } = await run(['/main.sh', 'one'], { Tmpfs: {}, Binds: [`${data}:/data`] });
  assert.deepEqual(stdout.split('\n').slice(0, 3), ['/rootfs/main.sh one', 'user data', 'name']);
  const seen = stdout.trimEnd().split('\n').slice(3);
  assert.deepEqual(
    seen.filter((name) => !/^(lib|bin|sbin)/.test(name)),
    ['dev', 'etc', 'proc', 'rootfs', 'sys', 'tmp', 'usr'],
  );
  assert.deepEqual([exitCode, stderr.match(/Read-only file system/g)?.length], [0, 3]);
});

test('a described program sees of the host what its plugin was granted, and no more', { timeout: 60_000 }, async () => {
  using folder = temporary();
  mkdirSync(join(folder.path, 'granted'));
  writeFileSync(join(folder.path, 'granted/f'), 'a file\n');
  symlinkSync('/etc', join(folder.path, 'granted/out'));
  writeExecPlugin(join(folder.path, 'plugins/shows'), {
    name: 'shows',
    privileges: { hostPaths: [join(folder.path, 'granted')] },
    describe: `({ labels }) => ({ argv: ['/bin/cat', labels.file], hostPaths: [labels.show] })`,
  });
  await using under = await EngineUnderTest.open({ pluginDirs: [join(folder.path, 'plugins')] });
  const run = (show: string, file = show) =>
    under.run('', {
      config: { Image: 'busybox', Labels: { show: join(folder.path, show), file: join(folder.path, file) } },
      hostConfig: { Runtime: 'shows' },
    });
  assert.deepEqual(await run('granted', 'granted/f'), { exitCode: 0, stdout: 'a file\n', stderr: '' });
  for (const path of ['plugins', 'granted/out', 'granted/../plugins'])
    await assert.rejects(run(path), { code: 'forbidden', message: /plugin shows: .*is not covered by a granted privilege/ });
});

test('a plugin whose driver is called like a runtime of the engine does not take its place', { timeout: 60_000 }, async () => {
  using folder = temporary();
  writeExecPlugin(join(folder.path, 'runc'), { name: 'runc', describe: `() => { throw new Error('asked') }` });
  writeExecPlugin(join(folder.path, 'aaa'), { name: 'aaa', describe: `() => { throw new Error('asked') }` });
  await using under = await EngineUnderTest.open({ pluginDirs: [folder.path] });
  for (const Runtime of ['runc', '']) assert.equal((await under.run('true', { hostConfig: { Runtime } })).exitCode, 0);
  await assert.rejects(under.run('true', { hostConfig: { Runtime: 'aaa' } }), /asked/);
  await assert.rejects(under.run('true', { hostConfig: { Runtime: 'oci' } }), { code: 'invalid_argument', message: /runtime name: oci/ });
});

function temporary(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'described-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

function writeExecPlugin(
  dir: string,
  { name, describe, privileges = {} }: { readonly name: string; readonly describe: string; readonly privileges?: Manifest['privileges'] },
): void {
  const author = `{ name: '${name}', privileges: ${JSON.stringify(privileges)}, describe: ${describe} }`;
  const provides = [{ contract: 'exec', versions: ['v1'], drivers: [name], features: ['describe'] }];
  writeFiles(dir, {
    'main.ts': `import { exec } from '@gantry/sdk/author';\nexport default exec(${author});\n`,
    'gantry-plugin.json': {
      manifestVersion: 1,
      name,
      version: '0.1.0',
      provides,
      entry: { node: 'main.ts' },
      placement: ['process'],
      privileges,
    },
  });
}

async function until(holds: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 10_000; !holds(); await sleep(10)) assert.ok(performance.now() < deadline);
}
