import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Content, digestOf } from '../../../core/content/index.ts';

let root: string;
let content: Content;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'content-'));
  content = new Content(root);
});
afterEach(() => rmSync(root, { recursive: true }));

async function* stream(...parts: readonly string[]): AsyncIterable<Buffer> {
  for (const part of parts) yield Buffer.from(part);
}
const ingesting = () => readdirSync(join(root, 'content/ingest'));

for (const digest of [
  '',
  'sha256:',
  'sha256:zz',
  `sha256:${'a'.repeat(63)}`,
  `sha256:${'A'.repeat(64)}`,
  `md5:${'a'.repeat(32)}`,
  'sha256:../../etc/passwd',
  `sha256:${'a'.repeat(64)}\0`,
]) {
  test(`Content refuses the digest ${JSON.stringify(digest)}`, () => {
    assert.throws(() => content.path(digest), { code: 'invalid_argument', message: /^invalid digest/ });
  });
}

test('Content.ingest() names a blob by what its bytes are', async () => {
  const blob = await content.ingest(stream('one', 'two'));
  assert.deepEqual(blob, { digest: digestOf('onetwo'), sizeBytes: 6 });
  assert.equal(content.readSmall(blob.digest).toString(), 'onetwo');
  assert.deepEqual([content.list(), ingesting()], [[blob.digest], []]);
});

test('Content.ingest() refuses other bytes than were promised, too many, and a broken stream, and leaves nothing', async () => {
  await assert.rejects(content.ingest(stream('x'), { digest: digestOf('y') }), { code: 'invalid_argument', message: /blob has digest/ });
  await assert.rejects(content.ingest(stream('12345', '67890'), { maxBytes: 7 }), {
    code: 'invalid_argument',
    message: /more than 7 bytes/,
  });
  await assert.rejects(content.ingest(stream('x'), { signal: AbortSignal.abort(new Error('gone')) }), /gone/);
  assert.deepEqual([content.list(), ingesting()], [[], []]);
});

test('Content.adopt() makes blobs of written files, and drops those that are there already', async () => {
  const bytes = Buffer.from('layer');
  const files = [content.newIngestPath(), content.newIngestPath()].map((path) => ({
    path,
    digest: digestOf(bytes),
    sizeBytes: bytes.length,
  }));
  for (const { path } of files) writeFileSync(path, bytes);
  await content.adopt(files);
  assert.deepEqual([content.list(), ingesting()], [[digestOf(bytes)], []]);
});

test('Content.readSmall() and verify() tell damage from absence', async () => {
  const { digest } = await content.put('good');
  writeFileSync(content.path(digest), 'evil');
  assert.throws(() => content.readSmall(digest), { code: 'data_loss' });
  await assert.rejects(content.verify(digest), { code: 'data_loss' });
  await content.remove(digest);
  await content.remove(digest);
  assert.throws(() => content.readSmall(digest), { code: 'not_found' });
});

test('Content.sweep() removes what a crash left on the way', () => {
  const path = content.newIngestPath();
  writeFileSync(path, 'half');
  content.sweep();
  assert.equal(existsSync(path), false);
});
