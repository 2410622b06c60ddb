import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { groupMembers, pluginGroups, Stage } from './stage.ts';

inNamespaces(import.meta.url, { cgroups: 'v2' });
leakGuard();

const available = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').split(/\s+/);
const missing = ['memory', 'pids', 'cpu'].filter((name) => !available.includes(name));
const warning = `${missing.join(', ')} cannot be limited: this machine has no cgroup controller for it`;

test('launch() puts a plugin into its group before it runs, and leaves its environment and its stdin alone', async () => {
  using stage = new Stage();
  await using plugin = await stage.launch('', {
    argv: [
      '/usr/bin/perl',
      '-e',
      '$| = 1; print join(" ", map { "$_=$ENV{$_}" } sort keys %ENV), "\\n"; print <>; open F, "/proc/self/cgroup"; print grep { /^0:/ } <F>',
    ],
    env: { A: 'x y', 'b.c': 'no name for a shell' },
  });
  plugin.closeStdin();
  assert.deepEqual(await plugin.exited, { exitCode: 0, oomKilled: false });
  assert.deepEqual(
    stage.lines.filter(({ source }) => source === 'stdout').map(({ line }) => line),
    ['A=x y b.c=no name for a shell', '0::/gantry-plugins/0123456789ab.1'],
  );
});

test('Launched.killAll() ends what the plugin forked twice, in the unified tree as well', async () => {
  using stage = new Stage();
  await using plugin = await stage.launch('(setsid sleep 1000 &); cat /proc/self/cgroup; echo forked; read -r _');
  await stage.line(/forked/);
  const told = stage.lines.filter(({ source }) => source === 'engine').map(({ line }) => line);
  assert.deepEqual(told, missing.length === 0 ? [] : [warning]);
  assert.match(stage.lines.map(({ line }) => line).join('\n'), /^0::\/gantry-plugins\/0123456789ab\.1$/m);
  assert.ok(groupMembers().length >= 3);
  await plugin.killAll();
  assert.deepEqual(groupMembers(), []);
  assert.deepEqual(await plugin.exited, { signal: 'SIGKILL', oomKilled: false });
  await plugin[Symbol.asyncDispose]();
  assert.equal(existsSync(pluginGroups), false);
});
