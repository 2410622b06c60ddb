import assert from 'node:assert/strict';
import { mkdtempDisposable, readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { publishFile, publishFileSync } from '../../../core/support/index.ts';

const variants = [
  ['publishFile()', publishFile],
  ['publishFileSync()', async (...given: Parameters<typeof publishFileSync>) => publishFileSync(...given)],
] as const;

for (const [name, publish] of variants) {
  test(`${name} replaces the content and leaves only the file, with its mode`, async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'gantry-support-'));
    const path = join(folder.path, 'state.json');
    await publish(path, 'old');
    await publish(path, Buffer.from('new'), { mode: 0o640 });
    assert.equal(await readFile(path, 'utf8'), 'new');
    assert.equal((await stat(path)).mode & 0o777, 0o640);
    assert.deepEqual(await readdir(folder.path), ['state.json']);
  });

  test(`${name} leaves no temporary file when the rename fails`, async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'gantry-support-'));
    await publish(join(folder.path, 'x'), 'x');
    await assert.rejects(publish(join(folder.path, 'x', 'below-a-file'), 'y'), { code: 'ENOTDIR' });
    await assert.rejects(publish(folder.path, 'over a folder'), { code: 'EISDIR' });
    assert.deepEqual(await readdir(folder.path), ['x']);
  });
}
