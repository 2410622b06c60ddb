import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { script, t } from '@gantry/sdk/author';
import { hostFor } from '@gantry/sdk/testing';

const dir = mkdtempSync(join(tmpdir(), 'gantry-script-'));
after(() => rmSync(dir, { recursive: true }));

async function attach(body: string, { timeoutMs = 5_000, signal }: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {}) {
  writeFileSync(join(dir, 'driver'), `#!/bin/sh\n[ "$1" = attach ] || exit 0\n${body}\n`, { mode: 0o755 });
  await using host = await hostFor(script({ kind: 'volume', name: 'x', dir, timeoutMs }));
  await host.driver('volume').create({ name: 'v', options: {}, labels: {} }, host.ctx());
  return await host.driver('volume').attach({ name: 'v', attachmentId: 'a', readOnly: true, options: {} }, host.ctx(signal));
}

const failing: readonly (readonly [string, string, object])[] = [
  [
    'an error of the catalogue',
    `echo '{"code":"not_found","message":"gone","reason":"GONE"}' >&2; exit 1`,
    { code: 'not_found', message: 'gone', reason: 'GONE' },
  ],
  [
    'an error in the words of gRPC',
    `echo '{"code":"FAILED_PRECONDITION","message":"busy"}' >&2; exit 1`,
    { code: 'conflict', message: 'busy' },
  ],
  ['an error after other lines', `echo noise >&2; echo '{"code":"forbidden","message":"no"}' >&2; exit 3`, { code: 'forbidden' }],
  ['an error that is no JSON', 'echo "jq: not found" >&2; exit 127', { code: 'unavailable', message: /jq: not found/ }],
  ['an error without a word', 'exit 1', { code: 'unavailable', message: /said nothing/ }],
  ['a signal', 'kill -9 $$', { code: 'unavailable', message: /SIGKILL/ }],
  ['an answer that is no JSON', 'echo hello', { code: 'internal', reason: 'SCRIPT_ANSWER' }],
  ['an answer without end', 'yes', { code: 'unavailable', message: /SIGKILL/ }],
];
for (const [what, body, expected] of failing) {
  test(`script() tells ${what}`, async () => assert.rejects(attach(body), expected));
}

test('script() gives the request as JSON and in the environment', async () => {
  const { attachment } = await attach(
    `cat > ${dir}/stdin; echo "{\\"mounts\\":[{\\"type\\":\\"tmpfs\\",\\"source\\":{\\"opaque\\":\\"$GANTRY_NAME $GANTRY_READ_ONLY $GANTRY_ATTACHMENT_ID\\"}}]}"`,
  );
  assert.deepEqual(attachment.mounts, [{ type: 'tmpfs', source: { opaque: 'v true a' } }]);
  const told = JSON.parse(readFileSync(join(dir, 'stdin'), 'utf8')) as { readonly name: string; readonly attachmentId: string };
  assert.deepEqual([told.name, told.attachmentId], ['v', 'a']);
});

test('script() keeps secrets out of the environment', async () => {
  writeFileSync(join(dir, 'driver'), `#!/bin/sh\n[ "$1" = create ] && env > ${dir}/env && cat > ${dir}/stdin || exit 0\n`, { mode: 0o755 });
  await using host = await hostFor(script({ kind: 'volume', name: 'x', dir, options: { user: t.String(), password: t.Secret() } }));
  await host.driver('volume').create({ name: 'v', options: { user: 'me', password: 'hunter2' }, labels: {} }, host.ctx());
  assert.match(readFileSync(join(dir, 'env'), 'utf8'), /^GANTRY_OPTION_USER=me$/m);
  assert.doesNotMatch(readFileSync(join(dir, 'env'), 'utf8'), /hunter2/);
  assert.match(readFileSync(join(dir, 'stdin'), 'utf8'), /hunter2/);
});

test('script() kills the program and all it started when time is up', async () => {
  await assert.rejects(attach(`sleep 60 & echo $! > ${dir}/pid; sleep 60`, { timeoutMs: 300 }), {
    code: 'unavailable',
    reason: 'SCRIPT_TIMEOUT',
  });
  await gone(readFileSync(join(dir, 'pid'), 'utf8').trim());
});

test('script() kills the program and all it started when the caller leaves', async () => {
  const stop = AbortSignal.timeout(300);
  await assert.rejects(attach(`sleep 60 & echo $! > ${dir}/pid; sleep 60`, { signal: stop }), { name: 'TimeoutError' });
  await gone(readFileSync(join(dir, 'pid'), 'utf8').trim());
});

test('script() tells that there is no program', async () => {
  await using host = await hostFor(script({ kind: 'volume', name: 'x', dir, command: './nothing' }));
  await assert.rejects(host.driver('volume').create({ name: 'v', options: {}, labels: {} }, host.ctx()), { reason: 'SCRIPT_NOT_RUNNABLE' });
});

async function gone(pid: string): Promise<void> {
  for (let attempt = 0; existsSync(`/proc/${pid}`) && isRunning(pid); attempt += 1) {
    assert.ok(attempt < 200, `process ${pid} is still there`);
    await sleep(10);
  }
}

/** What nobody reaps here is dead all the same. */
function isRunning(pid: string): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
