import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withExt4 } from '../../support/disks/ext4.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const namespacesModule = new URL('../../support/machine/namespaces.ts', import.meta.url).href;

test('inNamespaces() gives the file its own processes, loopback, /run, TMPDIR and cgroup roots', () => {
  assert.match(execFileSync('ip', ['-brief', 'link'], { encoding: 'utf8' }), /^lo .*LOOPBACK,UP.*\n$/);
  assert.match(readFileSync('/proc/1/cmdline', 'utf8'), /namespace-init\.sh/);
  assert.deepEqual(readdirSync('/run'), ['tmp']);
  assert.equal(tmpdir(), '/run/tmp');
  assert.doesNotMatch(readFileSync('/proc/self/cgroup', 'utf8'), /gantry-test/);
});

test('inNamespaces() has a process 1 that reaps orphans', async () => {
  const pid = Number(execFileSync('sh', ['-c', 'sleep 0.05 >/dev/null & echo $!'], { encoding: 'utf8' }));
  while (existsSync(`/proc/${pid}`)) await sleep(10);
});

for (const [body, passed, failed] of [
  ['assert.ok(true)', 1, 0],
  ['assert.equal(1, 2)', 0, 1],
] as const) {
  test(`inNamespaces() under node --test counts ${passed} passed and ${failed} failed for ${body}`, async () => {
    const { status, stdout } = await runInner(`test('inner', () => ${body});`);
    assert.match(stdout, new RegExp(`^# pass ${passed}$`, 'm'));
    assert.match(stdout, new RegExp(`^# fail ${failed}$`, 'm'));
    assert.equal(status, failed);
  });
}

test('inNamespaces() fails the run when the file inside dies', async () => {
  const { status, stdout } = await runInner("process.kill(process.pid, 'SIGKILL');");
  assert.match(stdout, /^# fail 1$/m);
  assert.equal(status, 1);
});

test('inNamespaces() takes everything inside along when it is killed', { timeout: 20_000 }, async () => {
  const marker = `${process.pid}.98765432`;
  await using inner = await writeInner(`spawn('sleep', ['${marker}'], { detached: true }); setInterval(() => undefined, 1000);`);
  const child = spawn(process.execPath, [inner.file], { env: outerEnvironment(), stdio: 'ignore' });
  while (!processes().includes(marker)) await sleep(20);
  child.kill('SIGTERM');
  await once(child, 'exit');
  while (processes().includes(marker)) await sleep(20);
});

test('withExt4() is journaled and leaves neither mount nor loop device', async () => {
  const before = execFileSync('losetup', ['--noheadings', '--list', '--output', 'NAME,BACK-FILE'], { encoding: 'utf8' });
  {
    await using disk = withExt4({ sizeMiB: 16 });
    writeFileSync(join(disk.path, 'file'), 'x');
    assert.match(readFileSync('/proc/self/mounts', 'utf8'), new RegExp(`^/dev/loop\\d+ ${disk.path} ext4 `, 'm'));
  }
  assert.doesNotMatch(readFileSync('/proc/self/mounts', 'utf8'), / ext4 .*gantry-ext4/);
  const after = execFileSync('losetup', ['--noheadings', '--list', '--output', 'NAME,BACK-FILE'], { encoding: 'utf8' });
  assert.doesNotMatch(after.replace(before, ''), /gantry-ext4/);
});

async function writeInner(body: string): Promise<AsyncDisposable & { readonly file: string }> {
  // Not in TMPDIR: the inner namespaces get an empty /run of their own.
  const folder = await mkdtempDisposable('/tmp/gantry-inner-');
  const file = join(folder.path, 'inner.test.ts');
  const imports = `import { test } from 'node:test'; import assert from 'node:assert'; import { spawn } from 'node:child_process';
    import { inNamespaces } from ${JSON.stringify(namespacesModule)}; inNamespaces(import.meta.url);`;
  writeFileSync(file, `${imports}\n${body}\n`);
  return { file, [Symbol.asyncDispose]: () => folder.remove() };
}

async function runInner(body: string): Promise<{ readonly status: number | null; readonly stdout: string }> {
  await using inner = await writeInner(body);
  return spawnSync(process.execPath, ['--test', '--test-reporter=tap', inner.file], { env: outerEnvironment(), encoding: 'utf8' });
}

function outerEnvironment(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _context, GANTRY_TEST_INSIDE: _inside, GANTRY_TEST_CGROUPS_ENTERED: _entered, ...rest } = process.env;
  return rest;
}

function processes(): string {
  return execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
}
