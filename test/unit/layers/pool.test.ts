import assert from 'node:assert/strict';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TreeWorkers } from '../../../core/layers/worker/pool.ts';

test('TreeWorkers.run() gives no job to a thread that is about to end because it had none for a while', async (context) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'gantry-pool-'));
  await using workers = new TreeWorkers({ limit: 1 });
  const ingest = async (name: string): Promise<number> => {
    const input = (async function* bytes() {
      yield Buffer.from(name);
    })();
    return (await workers.run('ingest', { path: join(folder.path, name) }, { input })).sizeBytes;
  };
  context.mock.timers.enable({ apis: ['setTimeout'] });
  assert.equal(await ingest('one'), 3);
  for (const name of ['second', 'third']) {
    context.mock.timers.tick(10_000);
    assert.equal(await ingest(name), name.length);
  }
});
