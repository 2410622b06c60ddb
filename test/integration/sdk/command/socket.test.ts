import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gantrySdk, standAlone, writeFolders } from '../../../support/machine/stranger.ts';

const work = mkdtempSync(join(tmpdir(), 'gantry-socket-'));
after(() => rmSync(work, { recursive: true }));
const dir = join(work, 'folders');
const socket = join(work, 'folders.sock');
const address = ['--socket', `unix://${socket}`] as const;

interface Report {
  readonly cases: readonly { readonly id: string; readonly status: string; readonly reason?: string; readonly message?: string }[];
}

test('gantry-sdk conformance proves a plugin that its author runs, case after case in one process, and says what it cannot try', async () => {
  await gantrySdk('create', dir, '--kind', 'volume');
  await writeFolders(dir, '1.0.0');
  const child = await standAlone(dir, { socket, token: 'secret words' });
  try {
    const before = readdirSync(`/proc/${child.pid}/fd`).length;
    const only = ['--only', 'volume.*,plugin.drain.*,plugin.resume.*,plugin.restart.*,plugin.configure.*'];
    const { code, stdout, stderr } = await gantrySdk(
      'conformance',
      dir,
      ...address,
      '--token',
      'secret words',
      ...only,
      '--report',
      'json',
    );
    const { cases } = JSON.parse(stdout) as Report;
    const failed = cases.filter(({ status }) => status === 'failed');
    assert.deepEqual([code, failed], [0, []], stderr);
    assert.ok(cases.filter(({ status }) => status === 'passed').length > 25, stdout);
    const restarts = cases.find(({ id }) => id === 'volume.restart.attached-then-detach');
    assert.deepEqual(restarts?.status, 'skipped');
    assert.equal(child.exitCode, null);
    assert.ok(readdirSync(`/proc/${child.pid}/fd`).length < before + 10);
    const wrong = await gantrySdk('conformance', dir, ...address, '--token', 'wrong', '--only', 'volume.create.ok');
    assert.deepEqual([wrong.code, /does not know this start's token/.test(wrong.stdout)], [1, true], wrong.stdout);
  } finally {
    child.kill('SIGTERM');
  }
});

const bad: readonly (readonly [what: string, words: readonly string[], said: RegExp])[] = [
  ['an address that is none', ['--socket', 'tcp://x:1'], /tcp:\/\/x:1 is no address of a plugin/],
  ['a placement beside it', [...address, '--placement', 'worker'], /leave --placement and --chaos out/],
  ['chaos beside it', [...address, '--chaos'], /leave --placement and --chaos out/],
];
for (const [what, words, said] of bad) {
  test(`gantry-sdk conformance refuses --socket with ${what}`, async () => {
    const { code, stderr } = await gantrySdk('conformance', dir, ...words);
    assert.deepEqual([code, said.test(stderr)], [1, true], stderr);
  });
}

test('gantry-sdk conformance tells when nobody listens at the socket', async () => {
  const { code, stdout } = await gantrySdk('conformance', dir, '--socket', `unix://${work}/nobody.sock`, '--only', 'volume.create.ok');
  assert.deepEqual([code, /nobody|ENOENT/.test(stdout)], [1, true], stdout);
});
