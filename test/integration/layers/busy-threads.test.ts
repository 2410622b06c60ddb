import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TreeWorkers } from '../../../core/layers/index.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url);

test('TreeWorkers.run() starts no further thread for one that gets on, however long its job takes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'busy-'));
  const fd = openSync(join(folder, 'layer'), 'w+');
  await using workers = new TreeWorkers({ limit: 1 });
  try {
    // What follows the end of the archive is read and hashed, which takes longer than a thread may be silent.
    writeSync(fd, Buffer.concat([entry('f'), endOfArchive]));
    ftruncateSync(fd, 8 * 2 ** 30);
    for (const name of ['one', 'another']) mkdirSync(join(folder, name));
    const ended: string[] = [];
    const began = performance.now();
    const long = workers
      .run('apply', { root: join(folder, 'one'), fd, whiteouts: 'overlay', isDiffIdKnown: false })
      .then(() => ended.push('long'));
    const short = workers.run('stat', { root: join(folder, 'another'), path: '/' }).then(() => ended.push('short'));
    await Promise.all([long, short]);
    assert.deepEqual(ended, ['long', 'short']);
    assert.ok(performance.now() - began > 2_000, 'the job was too short to say anything');
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
});
