import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DescribeRequest, ProcessSpec } from '@gantry/sdk/exec';
import { driverContext } from '../../../core/drivers/index.ts';
import { describedProcess } from '../../../core/execute/index.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

const request: DescribeRequest = { id: 'c', containerName: 'c', labels: {}, spec: {} };

function described(run: ProcessSpec, runtimes: readonly string[] = [], violations: string[] = []): Promise<ProcessSpec> {
  const grants = { plugin: 'acme', dataDir: '/nowhere', mountTypes: [], hostPaths: [], devices: [], nftables: false, runtimes };
  const ctx = driverContext(quietLog);
  return describedProcess({ describe: async () => ({ run }) }, request, {
    grants: { ...grants, onViolation: (what) => violations.push(what) },
    ctx,
  });
}
const runtime = (program: string, ...given: readonly string[]): ProcessSpec => ({ kind: 'runtime', program, arguments: given });
const program = (changes: object): ProcessSpec => ({ kind: 'program', argv: ['/bin/true'], env: [], ...changes });

test('describedProcess() finds a granted runtime where programs of the system are', async () => {
  assert.deepEqual(await described(runtime('sh', '--flag'), ['sh --flag']), runtime(realpathSync('/bin/sh'), '--flag'));
  await assert.rejects(described(runtime('no-such-runtime'), ['no-such-runtime']), { code: 'unavailable' });
});

test('describedProcess() refuses a runtime that was not granted word by word, and tells who counts', async () => {
  const violations: string[] = [];
  for (const run of [runtime('sh'), runtime('sh', '--flag', '--more'), runtime('sh', '--fla'), runtime('/bin/sh', '--flag')])
    await assert.rejects(described(run, ['sh --flag'], violations), { code: 'forbidden', message: /plugin acme may not run the runtime/ });
  // One text can be other words.
  for (const run of [runtime('sh --flag'), runtime('sh', '', '--flag'), runtime('sh', '--flag\0'), runtime('', 'sh', '--flag')])
    await assert.rejects(described(run, ['sh --flag'], violations), { code: 'invalid_argument', message: /plugin acme/ });
  await assert.rejects(described(runtime('../bin/sh'), ['../bin/sh'], violations), { code: 'invalid_argument' });
  assert.equal(violations.length, 9);
});

test('describedProcess() refuses a runtime that others than root could replace', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'runtime-'));
  try {
    mkdirSync(join(folder, 'bin'));
    const place = join(folder, 'bin/runtime');
    writeFileSync(place, '#!/bin/sh\n', { mode: 0o755 });
    symlinkSync('runtime', join(folder, 'bin/link'));
    const link = join(folder, 'bin/link');
    assert.deepEqual(await described(runtime(link), [link]), runtime(place));
    for (const [path, mode] of [
      [place, 0o775],
      [join(folder, 'bin'), 0o777],
      [folder, 0o777],
    ] as const) {
      chmodSync(path, mode);
      await assert.rejects(described(runtime(link), [link]), { message: new RegExp(`by others than root, by way of ${path}$`) });
      chmodSync(path, 0o755);
    }
    chmodSync(place, 0o644);
    await assert.rejects(described(runtime(place), [place]), { message: /is no program/ });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('describedProcess() refuses a program that is not whole', async () => {
  assert.deepEqual(await described(program({})), program({ cwd: '/', hostPaths: [] }));
  for (const [changes, message] of [
    [{ argv: [] }, /without an absolute path: \[\]/],
    [{ argv: ['bin/true'] }, /without an absolute path/],
    [{ argv: ['/bin/true', 'a\0b'] }, /NUL/],
    [{ env: ['A'] }, /"A" in its environment/],
    [{ env: ['=A'] }, /"=A" in its environment/],
    [{ cwd: 'tmp' }, /"tmp", which is no absolute path/],
    [{ hostPaths: ['etc'] }, /"etc", which is no absolute path/],
  ] as const)
    await assert.rejects(described(program(changes)), { code: 'invalid_argument', message });
});
