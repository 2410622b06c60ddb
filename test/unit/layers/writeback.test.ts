import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { Writeback } from '../../../core/layers/writeback.ts';

const megabyte = 1024 * 1024;

test('Writeback.settled() resolves when what was written is on the disk', async () => {
  await using writeback = new Writeback(tmpdir());
  writeback.written(64 * megabyte);
  writeback.written(64 * megabyte);
  await writeback.settled();
});

test('Writeback.settled() tells that the disk failed, also later', async () => {
  const writeback = new Writeback(tmpdir());
  closeSync(writeback.fd);
  writeback.written(63 * megabyte);
  await writeback.settled();
  writeback.written(1 * megabyte);
  await assert.rejects(writeback.settled(), { code: 'data_loss' });
  writeback.written(64 * megabyte);
  await assert.rejects(writeback.settled(), { code: 'data_loss' });
});
