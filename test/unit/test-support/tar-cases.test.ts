import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { endOfArchive, entry, header, pax } from '../../support/images/tar-builder.ts';
import { readTarCases } from '../../support/images/tar-cases/index.ts';

test('readTarCases() has an answer for each of its 88 archives', () => {
  const cases = readTarCases();
  assert.deepEqual([cases.length, new Set(cases.map(({ name }) => name)).size], [88, 88]);
  for (const { name, bytes } of cases) assert.ok(Buffer.isBuffer(bytes()), name);
});

test('entry(), header() and pax() write what GNU tar reads', () => {
  const archive = Buffer.concat([
    pax({ path: 'folder/a long name' }),
    entry('ignored', 'hello'),
    header({ name: 'link', type: '2', link: 'folder', mode: 0o777 }),
    endOfArchive,
  ]);
  const { stdout, status } = spawnSync('tar', ['--list', '--verbose', '--numeric-owner', '--utc'], { input: archive, encoding: 'utf8' });
  assert.equal(status, 0);
  assert.equal(
    stdout,
    '-rw-r--r-- 0/0               5 1970-01-01 00:00 folder/a long name\nlrwxrwxrwx 0/0               0 1970-01-01 00:00 link -> folder\n',
  );
});
