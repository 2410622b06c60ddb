import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedScript } from '../../../core/plugin-launch/sandbox/init.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { groupMembers, isUnified } from './stage.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

test('a plugin whose engine was killed sees the end of its stdin, may finish, and takes its sandbox along', async (t) => {
  const engine = spawn(process.execPath, [...process.execArgv, `${import.meta.dirname}/engine.ts`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: engine.stdout })[Symbol.asyncIterator]();
  const said: unknown = (await lines.next()).value;
  const [, folder = ''] = /^launched (.*)$/.exec(String(said)) ?? [];
  engine.kill('SIGKILL');
  while (groupMembers().length > 0) await sleep(50, undefined, { signal: t.signal });
  assert.equal(readFileSync(`${folder}/data/drained`, 'utf8'), 'yes\n');
});

test('the first process of a plugin among the processes of the machine ends all of its cgroup when the engine has gone, and nothing else', async (t) => {
  const trees = isUnified ? ['/sys/fs/cgroup'] : readdirSync('/sys/fs/cgroup').map((name) => `/sys/fs/cgroup/${name}`);
  const folders = trees.map((tree) => `${tree}/gantry-plugins/0123456789ab.1`);
  const enter = folders.map((path) => `mkdir -p ${path} 2>/dev/null && echo $$ 2>/dev/null >${path}/cgroup.procs`).join('; ');
  using bystander = disposable(spawn('sleep', ['1000']));
  const script = `${enter}; (setsid sleep 1000 &); sleep 1000 & exec sh -c "$INIT"`;
  const init = spawn('sh', ['-c', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, INIT: sharedScript(1, '0123456789ab.1') },
  });
  await once(init.stdout, 'data');
  assert.equal(groupMembers().length, 3);
  init.stdin.end();
  while (groupMembers().length > 0) await sleep(50, undefined, { signal: t.signal });
  assert.equal(bystander.exitCode, null);
  // Not in a cgroup of that name, it ends nothing.
  const lost = spawn('sh', ['-c', sharedScript(0, 'another.1')], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(lost.stdout, 'data');
  lost.stdin.end();
  await once(lost, 'exit');
  assert.equal(bystander.exitCode, null);
});

function disposable(child: ChildProcess): ChildProcess & Disposable {
  return Object.assign(child, { [Symbol.dispose]: () => void child.kill('SIGKILL') });
}
