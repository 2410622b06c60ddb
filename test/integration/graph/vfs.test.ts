import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Vfs } from '../../../plugins/graph/vfs/vfs.ts';
import { missingForDisk, withDisk } from '../../support/disks/disk.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
const ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const mebibyte = 1 << 20;
const missing = missingForDisk('xfs');
const disk = missing === undefined ? withDisk('xfs', { sizeMiB: 400, features: ['-m', 'reflink=1'] }) : undefined;
after(() => disk?.[Symbol.asyncDispose]());
leakGuard();

function freeBytes(path: string): number {
  execFileSync('sync', ['-f', path]);
  const { bfree, bsize } = statfsSync(path);
  return bfree * bsize;
}

test('Vfs.prepare() on a file system that shares blocks takes no room for what a parent has', { skip: missing ?? false }, async () => {
  const root = mkdtempSync(join(disk?.path ?? '', 'vfs-'));
  const driver = new Vfs(root);
  await driver.prepare({ key: 'one', chain: [] }, ctx);
  writeFileSync(join(root, 'one/tree/big'), Buffer.alloc(64 * mebibyte, 1));
  await driver.commit({ key: 'one', name: 'one', chain: [] });
  const before = freeBytes(root);
  for (const key of ['two', 'three']) await driver.prepare({ key, chain: ['one'] }, ctx);
  const taken = before - freeBytes(root);
  assert.ok(taken < 4 * mebibyte, `two copies of 64 MiB took ${(taken / mebibyte).toFixed(1)} MiB`);
  for (const key of ['two', 'three', 'one']) await driver.remove({ key });
  await driver.settled();
  rmSync(root, { recursive: true });
});

test('Vfs.prepare() that is aborted leaves nothing', { skip: missing ?? false }, async () => {
  const root = mkdtempSync(join(disk?.path ?? '', 'vfs-'));
  const driver = new Vfs(root);
  await driver.prepare({ key: 'one', chain: [] }, ctx);
  for (let folder = 0; folder < 200; folder += 1) {
    mkdirSync(join(root, 'one/tree', `folder${folder}`));
    for (let file = 0; file < 20; file += 1) writeFileSync(join(root, 'one/tree', `folder${folder}`, `file${file}`), 'x');
  }
  await driver.commit({ key: 'one', name: 'one', chain: [] });
  const stop = new AbortController();
  const preparing = driver.prepare({ key: 'two', chain: ['one'] }, { signal: stop.signal });
  stop.abort(new Error('enough'));
  await assert.rejects(preparing);
  await driver.settled();
  assert.deepEqual(await Array.fromAsync(driver.list()), [{ key: 'one', committed: true }]);
  await driver.remove({ key: 'one' });
  await driver.settled();
  rmSync(root, { recursive: true });
});
