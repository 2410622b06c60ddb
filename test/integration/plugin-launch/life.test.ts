import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { until } from '../../robustness/requests.ts';
import { groupMembers, isUnified, pluginGroup, pluginGroups, Stage } from './stage.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });
leakGuard();

test('Launched.closeStdin() tells a plugin to end, and exited says how it did', async () => {
  using stage = new Stage();
  await using plugin = await stage.launch('while read -r line; do :; done; echo drained; exit 3');
  assert.deepEqual([plugin.signal('SIGCONT'), existsSync(`/proc/${plugin.pid}`)], [true, true]);
  plugin.closeStdin();
  plugin.closeStdin();
  assert.deepEqual(await plugin.exited, { exitCode: 3, oomKilled: false });
  assert.deepEqual(
    stage.lines.map(({ source, line }) => `${source}: ${line}`),
    ['stdout: drained'],
  );
  assert.equal(plugin.signal('SIGTERM'), false);
});

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`Launched.exited tells that ${signal} ended the plugin, which has no handler for it`, async () => {
    using stage = new Stage();
    await using plugin = await stage.launch('exec sleep 1000');
    assert.equal(plugin.signal(signal), true);
    assert.deepEqual(await plugin.exited, { signal, oomKilled: false });
  });
}

test('Launched.killAll() ends what the plugin forked twice and gave a session of its own, also after the plugin itself', async () => {
  using stage = new Stage();
  await using plugin = await stage.launch(
    '(setsid sleep 1000 &) ; (setsid sh -c "sleep 1000 & sleep 1000 & wait" &); sleep 0.1; echo forked; read -r _',
  );
  await stage.line(/forked/);
  assert.equal(groupMembers().length, 6); // and its first process
  plugin.closeStdin();
  await plugin.exited;
  assert.equal(groupMembers().length, 5);
  await plugin.killAll();
  assert.deepEqual(groupMembers(), []);
  await plugin.killAll();
});

test('a plugin that takes more memory than it may is killed, and exited says why', async () => {
  using stage = new Stage();
  const { output, ...exit } = await stage.run('', {
    argv: ['/usr/bin/perl', '-e', '$x = "a" x (300 << 20); print length $x'],
    resources: { memoryBytes: 32 << 20, pids: 30 },
  });
  assert.deepEqual([exit, output], [{ signal: 'SIGKILL', oomKilled: true }, []]);
});

test('a fork bomb ends at the limit of processes, and dies with killAll()', async (t) => {
  using stage = new Stage();
  await using plugin = await stage.launch('', {
    argv: ['/usr/bin/perl', '-e', 'while (1) { fork; select undef, undef, undef, 0.01 }'],
    resources: { memoryBytes: 128 << 20, pids: 25 },
  });
  while ((plugin.usage()?.pids ?? 0) < 25) await sleep(10, undefined, { signal: t.signal });
  await sleep(200);
  assert.ok((plugin.usage()?.pids ?? 0) <= 27, `${plugin.usage()?.pids}`);
  assert.ok((plugin.usage()?.memoryBytes ?? 0) > 100_000);
  await plugin.killAll();
  assert.deepEqual(groupMembers(), []);
});

test('launch() sets the CPU quota', async () => {
  using stage = new Stage();
  await using plugin = await stage.launch('read -r _', { resources: { memoryBytes: 64 << 20, pids: 3, cpus: 0.5 } });
  const files = isUnified ? ['cpu.max', 'memory.max'] : ['cpu.cfs_quota_us', 'memory.limit_in_bytes'];
  const folder = (file: string): string => (isUnified ? pluginGroup : pluginGroup.replace('/pids/', `/${file.split('.')[0]}/`));
  assert.deepEqual(
    files.map((file) => readFileSync(`${folder(file)}/${file}`, 'utf8').trim()),
    [isUnified ? '50000 100000' : '50000', String(64 << 20)],
  );
  assert.ok(plugin.pid > 0);
});

test('launch() removes what an engine that was killed left under the same name', async () => {
  using stage = new Stage();
  mkdirSync(pluginGroup, { recursive: true });
  const left = spawn('sleep', ['1000'], { stdio: 'ignore' });
  writeFileSync(`${pluginGroup}/cgroup.procs`, String(left.pid));
  const ended = new Promise((resolve) => left.on('exit', (_, signal) => resolve(signal)));
  assert.equal((await stage.run('exit 0')).exitCode, 0);
  assert.equal(await ended, 'SIGKILL');
});

test('a flood of output is cut at the limit and counted, while the engine goes on', async () => {
  using stage = new Stage();
  let turns = 0;
  const clock = setInterval(() => turns++, 10);
  await using plugin = await stage.launch('exec yes 0123456789');
  await stage.line(/^dropped/);
  await plugin.killAll();
  clearInterval(clock);
  const told = stage.lines.filter(({ source }) => source === 'engine').map(({ line }) => line);
  assert.match(told[0] ?? '', /^dropped \d{4,} lines \(\d{5,} bytes\) of output: more than 1000 lines or 1048576 bytes in a second$/);
  assert.ok(stage.lines.length - told.length <= 1000 * (told.length + 1));
  assert.ok(turns >= 20, `${turns} turns`);
});

test('a plugin of which nobody reads a flood to the end still ends by itself', async () => {
  using stage = new Stage();
  assert.equal((await stage.run('head -c 20000000 /dev/zero | tr "\\0" "\\n"; exit 4')).exitCode, 4);
});

test('lines are cut at 16 KiB and marked, bytes that are no UTF-8 replaced, the last one needs no end', async () => {
  using stage = new Stage();
  const { output } = await stage.run('head -c 20000 /dev/zero | tr "\\0" x; echo; printf "a\\377b\\r\\n\\nend"');
  assert.deepEqual(output, [`${'x'.repeat(16384)}… (3616 bytes cut)`, 'a\ufffdb', '', 'end']);
});

test('launch() with an aborted signal starts nothing; aborted on the way it leaves nothing', async () => {
  using stage = new Stage();
  const reason = new Error('enough');
  await assert.rejects(stage.launch('sleep 1000', {}, AbortSignal.abort(reason)), reason);
  for (const delayMs of [0, 5, 20, 40, 60, 80, 100, 120]) {
    const controller = new AbortController();
    const launching = stage.launch('sleep 1000', {}, controller.signal);
    await sleep(delayMs);
    controller.abort(reason);
    const outcome = await launching.then(
      async (plugin) => plugin[Symbol.asyncDispose](),
      (error: unknown) => assert.equal(error, reason),
    );
    assert.equal(outcome, undefined);
    // Where a thread takes long to start, the answer does not wait until all is undone.
    await until(() => !existsSync(pluginGroups));
  }
});

test('an unconfined plugin runs as the engine does, and what it started outlives killAll()', async () => {
  using stage = new Stage();
  await using plugin = await stage.launch(
    'setsid sleep 1000 & echo started $!; grep CapEff /proc/self/status; env | sort | tr "\\n" " "; echo; read -r _; exit 5',
    {
      privileges: { unconfined: true },
    },
  );
  const child = Number((await stage.line(/^started/)).split(' ')[1]);
  await stage.line(/PATH/);
  plugin.closeStdin();
  assert.deepEqual(await plugin.exited, { exitCode: 5, oomKilled: false });
  await plugin.killAll();
  assert.equal(process.kill(child, 0), true);
  process.kill(child, 'SIGKILL');
  assert.doesNotMatch(stage.lines[1]?.line ?? '', /0{16}/);
  assert.equal(plugin.usage(), undefined);
});

test('many plugins live side by side', async () => {
  using stage = new Stage();
  const names = ['a.1', 'b.1', 'c.2', 'd.3'];
  const plugins = await Promise.all(names.map((instance) => stage.launch('read -r _', { instance })));
  assert.deepEqual(readdirSync(pluginGroups, { withFileTypes: true }).filter((entry) => entry.isDirectory()).length, 4);
  await Promise.all(plugins.map((plugin) => plugin[Symbol.asyncDispose]()));
  assert.equal(existsSync(pluginGroups), false);
});
