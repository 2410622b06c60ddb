import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openData } from '@gantry/sdk/author';

const outside = mkdtempSync(join(tmpdir(), 'gantry-data-'));
after(() => rmSync(outside, { recursive: true }));
let count = 0;
function folder(): string {
  return join(outside, `data${(count += 1)}`);
}

for (const path of ['', '.', '..', '../x', 'a/../../x', '/etc/passwd', 'a\0b', '#gone-1', './#x', 'link/x', 'link/../../x']) {
  test(`openData() lets nothing reach ${JSON.stringify(path)}`, async () => {
    const root = folder();
    const data = openData(root);
    symlinkSync(outside, join(root, 'link'));
    for (const attempt of [
      () => data.mkdirs(path),
      () => data.remove(path),
      () => data.rename('link', path),
      () => data.write(path, 'x'),
      () => data.append(path, 'x'),
    ]) {
      await assert.rejects(async () => attempt(), { code: 'forbidden', reason: 'PATH_LEAVES_DATA' });
    }
  });
}

test('DataFolder.remove() removes a symlink and not what it points to', async () => {
  const root = folder();
  const data = openData(root);
  const kept = join(outside, 'kept');
  mkdirSync(kept, { recursive: true });
  symlinkSync(kept, join(root, 'link'));
  await data.remove('link');
  assert.deepEqual([existsSync(join(root, 'link')), existsSync(kept)], [false, true]);
});

test('DataFolder.mkdirs() makes folders that others may enter, whatever the umask says', async () => {
  const before = process.umask(0o077);
  try {
    const root = folder();
    await openData(root).mkdirs('a/b', 'c');
    assert.deepEqual(
      ['a', 'a/b', 'c'].map((path) => (statSync(join(root, path)).mode & 0o777).toString(8)),
      ['755', '755', '755'],
    );
  } finally {
    process.umask(before);
  }
});

test('DataFolder.rename() is done when it was done before', async () => {
  const data = openData(folder());
  await data.mkdirs('a');
  await data.rename('a', 'b');
  await data.rename('a', 'b');
  assert.deepEqual(await data.dirs(), ['b']);
  await assert.rejects(data.rename('nothing', 'nowhere'), { code: 'not_found' });
});

test('DataFolder.write() replaces a file as a whole', async () => {
  const root = folder();
  const data = openData(root);
  await data.write('file', 'one');
  await data.write('file', 'two');
  assert.equal(await data.read('file'), 'two');
  assert.equal(await data.read('other'), undefined);
});

test('openData() deletes what a crash left half deleted', () => {
  const root = folder();
  openData(root);
  mkdirSync(join(root, '#gone-1/deep'), { recursive: true });
  writeFileSync(join(root, 'kept'), 'x');
  openData(root);
  assert.equal(existsSync(join(root, '#gone-1')), false);
  assert.equal(readFileSync(join(root, 'kept'), 'utf8'), 'x');
});
