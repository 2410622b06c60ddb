import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import * as linux from '@gantry/sdk/linux';

const { run } = linux;

test('run() answers the exit code, stdout and stderr, and feeds stdin', async () => {
  const stdin = Buffer.alloc(200_000, 'y');
  const { stdout, ...rest } = await run({
    file: 'sh',
    argv: ['sh', '-c', 'cat; echo "$X" >&2; exit 3'],
    env: { X: 'é', PATH: '/bin:/usr/bin' },
    stdin,
  });
  assert.deepEqual(rest, { exitCode: 3, signal: undefined, stderr: Buffer.from('é\n'), truncated: false });
  assert.deepEqual(stdout, stdin);
});

test('run() hands further descriptors on', async () => {
  const file = openSync('/etc/hostname', 'r');
  const { stdout } = await run({ file: 'readlink', argv: ['readlink', '/proc/self/fd/3'], descriptors: [file] });
  assert.equal(stdout.toString(), '/etc/hostname\n');
  closeSync(file);
});

test('run() keeps no more than the limit, while the program writes on', async () => {
  const result = await run({ file: 'sh', argv: ['sh', '-c', 'head -c 3000000 /dev/zero; exit 5'], outputLimitBytes: 1000 });
  assert.deepEqual([result.exitCode, result.stdout.length, result.truncated], [5, 1000, true]);
});

test('run() is over when the program is, even if something it left behind holds its output', async () => {
  const began = performance.now();
  const { stdout } = await run({ file: 'sh', argv: ['sh', '-c', 'echo $$; (sleep 5) & echo done'] });
  assert.match(stdout.toString(), /done\n$/);
  assert.ok(performance.now() - began < 2000);
  process.kill(-Number.parseInt(stdout.toString(), 10), 'SIGKILL');
});

test('run() kills and reaps the whole session at its deadline and on abort', async () => {
  const argv = ['sh', '-c', 'sleep 987 & sleep 987'];
  await assert.rejects(run({ file: 'sh', argv, timeoutMs: 30 }), { code: 'deadline_exceeded', message: 'sh did not end within 30 ms' });
  const reason = new Error('enough');
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 30);
  await assert.rejects(run({ file: 'sh', argv, signal: controller.signal }), reason);
  assert.equal(linux.waitpid(-1), 'not-ours');
  assert.equal(execFileSync('sh', ['-c', 'pgrep -f "^sleep 987" || true']).toString(), '');
});

test('run() throws for what cannot be started, and leaves no descriptor behind', async () => {
  await run({ file: 'true' });
  const before = readdirSync('/proc/self/fd').length;
  await assert.rejects(run({ file: '/nowhere', stdin: 'x' }), { code: 'ENOENT', path: '/nowhere' });
  await Promise.all(Array.from({ length: 10 }, () => run({ file: 'true' })));
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('waitForExit() answers a signal, and undefined for what is no child of ours', async () => {
  const pid = linux.posixSpawn({ file: 'sleep', argv: ['sleep', '60'] });
  process.kill(pid, 'SIGTERM');
  assert.deepEqual(await linux.waitForExit(pid), { exitCode: undefined, signal: 'SIGTERM' });
  await assert.rejects(linux.waitForExit(pid), { code: 'ESRCH' });
  const { stdout } = await run({ file: 'sh', argv: ['sh', '-c', '(sleep 0.1) >/dev/null 2>&1 & echo $!'] });
  assert.equal(await linux.waitForExit(Number(stdout)), undefined);
});

test('waitForExit() without keepAlive lets the process end', () => {
  const script = `const linux = await import('@gantry/sdk/linux');
    const pid = linux.posixSpawn({ file: 'sleep', argv: ['sleep', '987'] });
    console.log(pid);
    void linux.waitForExit(pid, { keepAlive: false });`;
  const output = execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script], {
    timeout: 5000,
  });
  process.kill(Number(output.toString()), 'SIGKILL');
});
