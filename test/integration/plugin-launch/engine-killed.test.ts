import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNamespaces } from '../../support/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

test('a plugin whose engine was killed sees the end of its stdin, may finish, and takes its sandbox along', async (t) => {
  const engine = spawn(process.execPath, [...process.execArgv, `${import.meta.dirname}/engine.ts`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: engine.stdout })[Symbol.asyncIterator]();
  const said: unknown = (await lines.next()).value;
  const [, folder = ''] = /^launched (.*)$/.exec(String(said)) ?? [];
  engine.kill('SIGKILL');
  while (members().length > 0) await sleep(50, undefined, { signal: t.signal });
  assert.equal(readFileSync(`${folder}/data/drained`, 'utf8'), 'yes\n');
});

function members(): readonly string[] {
  return readFileSync('/sys/fs/cgroup/pids/gantry-plugins/0123456789ab.1/cgroup.procs', 'utf8').split('\n').filter(Boolean);
}
