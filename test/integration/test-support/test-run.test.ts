import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Totals } from '../../support/test-run.ts';

const module = new URL('../../support/test-run.ts', import.meta.url).href;

// In a process of its own: run() refuses to work inside a test file.
async function totalsOf(body: string, options = ''): Promise<Totals> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'gantry-test-run-'));
  await writeFile(join(folder.path, 'a.test.mjs'), `import { describe, test } from 'node:test';\n${body}`);
  const script = `import { runTests } from ${JSON.stringify(module)};
    console.log(JSON.stringify(await runTests([${JSON.stringify(join(folder.path, '*.test.mjs'))}], { concurrency: 1, fileTimeoutMs: 2000, ${options} })));`;
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  await writeFile(join(folder.path, 'run.mjs'), script);
  const { stdout, stderr } = spawnSync(process.execPath, [join(folder.path, 'run.mjs')], { env, encoding: 'utf8' });
  assert.equal(stderr, '');
  return JSON.parse(stdout) as Totals;
}

test('runTests() counts passed and skipped tests, with the reasons, and no suites', async () => {
  const { passed, failed, skipped } = await totalsOf(`
    describe('suite', () => { test('one', () => {}); test('two', () => {}); });
    test('later', { skip: 'needs root' }, () => {}); test('some day', (t) => t.skip());`);
  assert.deepEqual(
    [passed, failed, skipped.map(({ name, reason }) => `${name}: ${reason}`)],
    [2, 0, ['later: needs root', 'some day: no reason given']],
  );
});

for (const [name, body, shown] of [
  [
    'a failed test',
    "test('one', () => { console.log('a clue'); throw new Error('broken') });",
    /a\.test\.mjs:2 one\n[^]*Error: broken[^]*the file printed:\n {4}a clue/,
  ],
  ['a failed test in a suite', "describe('suite', () => { test('one', () => { throw new Error('broken') }); });", /:2 one\n[^]*broken/],
  ['a file that dies', 'process.exit(3);', /a\.test\.mjs/],
  ['a file that never ends', "test('one', () => new Promise(() => setInterval(() => {}, 1000)));", /aborted due to timeout/],
] as const) {
  test(`runTests() counts ${name} once and shows it`, async () => {
    const { passed, failed, failures } = await totalsOf(body);
    assert.deepEqual([passed, failed], [0, 1]);
    assert.match(failures.join('\n'), shown);
  });
}

test('runTests() with mayBeCut counts what a file that is out of time had done, and one skipped test; a test that failed by then fails', async () => {
  const body = `test('one', () => {}); test('two', () => { throw new Error('broken') });
    test('three', () => new Promise(() => setInterval(() => {}, 1000)));`;
  const { passed, failed, skipped } = await totalsOf(body, 'mayBeCut: true');
  assert.deepEqual([passed, failed, skipped.map(({ reason }) => reason)], [1, 1, ['needs more than 0.0 minutes here']]);
});

test('runTests() with only runs tests of such names', async () => {
  const { passed, failed } = await totalsOf(
    "test('a.one', () => {}); test('a.two', () => { throw new Error('broken') });",
    'only: /\\.one$/',
  );
  assert.deepEqual([passed, failed], [1, 0]);
});
