import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@gantry/sdk/client';
import { dockerApi } from '../../support/clients/docker-api.ts';
import { memoryEngine } from '../../support/engine/memory-engine/index.ts';

test('Volumes: a volume is renamed, resized, cloned and snapshotted', async () => {
  await using api = await dockerApi(memoryEngine());
  const { volumes } = connect({ host: `unix://${api.socketPath}` });
  await volumes.create({ Name: 'one', DriverOpts: { size: '1' } });
  assert.equal((await volumes.rename('one', 'two')).Name, 'two');
  await volumes.resize('two', 5_000);
  const cloned = await volumes.clone('two', { Name: 'copy', DriverOpts: { o: 'x' }, Labels: { a: 'b' } });
  assert.deepEqual([cloned.Name, cloned.Options, cloned.Labels], ['copy', { size: '5000', o: 'x' }, { a: 'b' }]);
  const kept = await volumes.snapshot('two', { Name: 'kept' });
  assert.deepEqual([kept.Name, kept.SnapshotOf], ['kept', 'two']);
  assert.deepEqual((await volumes.list()).Volumes?.map(({ Name }) => Name).toSorted(), ['copy', 'kept', 'two']);
  await assert.rejects(volumes.rename('one', 'three'), { code: 'not_found', message: 'get one: no such volume' });
  await assert.rejects(volumes.rename('two', 'copy'), { code: 'conflict' });
});
