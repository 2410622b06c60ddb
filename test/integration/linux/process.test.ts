import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as linux from '@gantry/sdk/linux';

const root = mkdtempSync(join(tmpdir(), 'linux-process-'));
after(() => rmSync(root, { recursive: true }));

test('posixSpawn() gives the child its arguments, environment, folder and descriptors, and nothing else', async () => {
  const out = openSync(join(root, 'out'), 'w+');
  const input = linux.memfdCreate('stdin');
  writeSync(input, 'from stdin\n', 0);
  const script = 'read -r line <&0; echo "$line|$1|$NAME|$PWD|${HOME-unset}"; echo err >&2; ls /proc/self/fd';
  const argv = ['named', '-c', script, 'sh', 'two words'];
  const reader = openSync(`/proc/self/fd/${input}`, 'r');
  const pid = linux.posixSpawn({ file: 'sh', argv, env: { NAME: 'ü', PATH: '/usr/bin:/bin' }, cwd: '/usr', stdio: [reader, out, out] });
  assert.deepEqual(await ended(pid), { exitCode: 0, signal: undefined });
  const written = readFileSync(join(root, 'out'), 'utf8').split('\n');
  assert.deepEqual(written.slice(0, 2), ['from stdin|two words|ü|/usr|unset', 'err']);
  assert.deepEqual(written.slice(2, -1), ['0', '1', '2', '3']);
  for (const open of [out, input, reader]) closeSync(open);
});

test('posixSpawn() wires descriptors that stand in each other’s way', async () => {
  const [one, two] = [openSync(join(root, 'one'), 'w'), openSync(join(root, 'two'), 'w')];
  const [low, high] = [Math.min(one, two), Math.max(one, two)];
  const stdio: (number | null)[] = [null, null, null, ...Array.from({ length: high - 2 }, () => null)];
  stdio[low] = high;
  stdio[high] = low;
  const pid = linux.posixSpawn({
    file: '/bin/sh',
    argv: ['sh', '-c', `readlink /proc/$$/fd/${low} /proc/$$/fd/${high} >/proc/$$/fd/${low}`],
    stdio,
  });
  assert.deepEqual(await ended(pid), { exitCode: 0, signal: undefined });
  const names = [join(root, 'one'), join(root, 'two')];
  const [lowName, highName] = low === one ? names : names.toReversed();
  assert.equal(readFileSync(highName ?? '', 'utf8'), `${highName}\n${lowName}\n`);
  closeSync(one);
  closeSync(two);
});

test('posixSpawn() of what is not there throws and leaves no child', () => {
  assert.throws(() => linux.posixSpawn({ file: '/nowhere', argv: ['x'] }), { code: 'ENOENT', syscall: 'posix_spawn', path: '/nowhere' });
  assert.throws(() => linux.posixSpawn({ file: 'sh', argv: ['x\0y'] }), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.equal(linux.waitpid(-1), 'not-ours');
});

test('posixSpawn() resets the signals that Node ignores, and makes a session', async () => {
  const out = openSync(join(root, 'status'), 'w+');
  const argv = ['sh', '-c', 'grep -E "^Sig(Blk|Ign)" /proc/self/status; cut -d" " -f1,6 /proc/$$/stat'];
  assert.deepEqual(await ended(linux.posixSpawn({ file: 'sh', argv, stdio: [null, out, null], setsid: true })), {
    exitCode: 0,
    signal: undefined,
  });
  const [blocked, ignored, ids] = readFileSync(join(root, 'status'), 'utf8').split('\n');
  assert.deepEqual([blocked, ignored], ['SigBlk:\t0000000000000000', 'SigIgn:\t0000000000000000']);
  const [pid, session] = ids?.split(' ') ?? [];
  assert.equal(session, pid);
  closeSync(out);
});

test('pidfdSendSignal() kills exactly this process, and knows when it is gone', async () => {
  const pid = linux.posixSpawn({ file: 'sleep', argv: ['sleep', '60'] });
  const pidfd = linux.pidfdOpen(pid);
  assert.equal(linux.waitpid(pid), 'running');
  assert.equal(linux.pidfdSendSignal(pidfd, 0), true);
  assert.equal(linux.pidfdSendSignal(pidfd, 'SIGKILL'), true);
  assert.deepEqual(await ended(pid), { exitCode: undefined, signal: 'SIGKILL' });
  assert.deepEqual([linux.pidfdSendSignal(pidfd, 'SIGTERM'), linux.waitpid(pid)], [false, 'not-ours']);
  assert.throws(() => linux.pidfdOpen(pid), { code: 'ESRCH' });
  closeSync(pidfd);
});

test('processStartTime() is one number for one process, whatever its name', async () => {
  const pid = linux.posixSpawn({ file: 'sh', argv: ['sh', '-c', 'printf "a) R (b" >/proc/$$/comm; sleep 60'] });
  const first = linux.processStartTime(pid);
  while (readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'a) R (b\n') await sleep(1);
  assert.equal(linux.processStartTime(pid), first);
  assert.ok(first !== undefined && first >= (linux.processStartTime(process.pid) ?? Infinity));
  const pidfd = linux.pidfdOpen(pid);
  linux.pidfdSendSignal(pidfd, 'SIGKILL');
  await ended(pid);
  assert.equal(linux.processStartTime(pid), undefined);
  closeSync(pidfd);
});

async function ended(pid: number): Promise<linux.ExitStatus> {
  for (;;) {
    const state = linux.waitpid(pid);
    if (state === 'not-ours') throw new Error(`${pid} is not ours`);
    if (state !== 'running') return state;
    await sleep(1);
  }
}
