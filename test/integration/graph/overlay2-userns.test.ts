import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

const script = join(import.meta.dirname, 'in-userns.ts');

test('Overlay2 in a user namespace passes all cases that do not need devices, by attributes of users', async () => {
  const { outcomes, status } = await inUserNamespace();
  assert.deepEqual([status['userxattr'], status['Native Overlay Diff']], ['true', 'true']);
  const failed = Object.entries(outcomes).filter(([, outcome]) => outcome.startsWith('failed'));
  // mknod(2) of a device needs the first user namespace.
  assert.deepEqual(
    failed.map(([name]) => name),
    ['device-nodes'],
    JSON.stringify(failed),
  );
  for (const name of [
    'dir.delete-opaque',
    'file.delete-whiteout',
    'diff.apply-roundtrip-equal-tree',
    'attach.ephemeral-then-again',
    'deep.300',
  ])
    assert.equal(outcomes[name], 'passed', name);
});

interface Answer {
  readonly outcomes: Readonly<Record<string, string>>;
  readonly status: Readonly<Record<string, string>>;
}

/** 65,536 owners, by their own numbers. */
async function inUserNamespace(): Promise<Answer> {
  const command = ['--user', '--mount', '--', 'sh', '-c', 'read go && exec "$@"', 'sh'];
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', script];
  const child = spawn('unshare', [...command, ...node], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await untilApart(child.pid ?? 0);
  for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${child.pid}/${map}`, '0 0 65536');
  child.stdin.end('go\n');
  const said = await text(child.stdout);
  await ended;
  return JSON.parse(said) as Answer;
}

/** It has left our user namespace. */
async function untilApart(pid: number): Promise<void> {
  const ours = readlinkSync('/proc/self/ns/user');
  for (const deadline = performance.now() + 10_000; readlinkSync(`/proc/${pid}/ns/user`) === ours; await sleep(5))
    assert.ok(performance.now() < deadline, 'no user namespace was made');
}
