import { invalidArgument } from '@gantry/sdk';
import type { VolumeInfo } from '@gantry/sdk/engine';
import { copyVolume, createVolume, renameVolume, resizeVolume } from '../bodies/objects.ts';
import { withoutAbsent } from '../http/absent.ts';
import type { Call } from '../http/call.ts';
import { withFilter } from '../http/filters.ts';
import { get, post, put, remove, type Route } from './route.ts';
import { required } from './plugins/own-fetch.ts';
import { notAManager } from './swarm.ts';

export const volumeRoutes: readonly Route[] = [
  get('/volumes', async (call) => {
    const { volumes, warnings } = await call.engine.volumes.list({ filters: call.query.filters() });
    call.send({ Volumes: volumes.map(volumeDocument), Warnings: warnings.length === 0 ? null : warnings });
  }),
  get('/volumes/:name', async (call) => call.send(volumeDocument(await call.engine.volumes.inspect(call.param('name'))))),
  post('/volumes/create', create),
  post('/volumes/prune', prune),
  put('/volumes/:name', () => {
    throw notAManager();
  }),
  remove('/volumes/:name', async (call) => {
    await call.engine.volumes.remove(call.param('name'), { force: call.query.flag('force') });
    call.sendNothing(204);
  }),
];

/** What Docker has no word for. */
export const ownVolumeRoutes: readonly Route[] = [
  post('/gantry/v1/volumes/:name/rename', async (call) => {
    const { Name } = await call.json(renameVolume);
    call.send(volumeDocument(await call.engine.volumes.rename(call.param('name'), required('Name', Name))));
  }),
  post('/gantry/v1/volumes/:name/resize', async (call) => {
    const { Bytes = 0 } = await call.json(resizeVolume);
    if (!(Bytes > 0)) throw invalidArgument('Bytes must be more than 0');
    await call.engine.volumes.resize(call.param('name'), Bytes);
    call.sendNothing(204);
  }),
  post('/gantry/v1/volumes/:name/clone', (call) => copy(call, 'clone')),
  post('/gantry/v1/volumes/:name/snapshot', (call) => copy(call, 'snapshot')),
];

export function volumeDocument({ name, driver, mountpoint, createdAt, labels, options, scope, status, snapshotOf, usage }: VolumeInfo) {
  return {
    CreatedAt: createdAt,
    Driver: driver,
    Labels: labels,
    Mountpoint: mountpoint,
    Name: name,
    Options: options,
    Scope: scope,
    ...(status === undefined ? {} : { Status: status }),
    ...(snapshotOf === undefined ? {} : { SnapshotOf: snapshotOf }),
    ...(usage === undefined ? {} : { UsageData: usageDocument(usage) }),
  };
}

function usageDocument({ refCount, sizeBytes, capacityBytes }: NonNullable<VolumeInfo['usage']>) {
  return { RefCount: refCount, Size: sizeBytes, ...(capacityBytes === undefined ? {} : { Capacity: capacityBytes }) };
}

async function copy(call: Call, kind: 'clone' | 'snapshot'): Promise<void> {
  const { Name, DriverOpts: options, Labels: labels } = await call.json(copyVolume);
  if (kind === 'snapshot' && Object.keys(options ?? {}).length > 0)
    throw invalidArgument('DriverOpts: a snapshot has the options of its volume');
  const request = withoutAbsent({ from: call.param('name'), name: required('Name', Name), options, labels });
  call.send(volumeDocument(await call.engine.volumes[kind](request)), 201);
}

async function create(call: Call): Promise<void> {
  const { Name: name, Driver: driver, DriverOpts: options, Labels: labels } = await call.json(createVolume);
  const volume = await call.engine.volumes.create(
    withoutAbsent({ name: name || undefined, driver: driver || undefined, options, labels }),
    {
      signal: call.signal,
    },
  );
  call.send(volumeDocument(volume), 201);
}

async function prune(call: Call): Promise<void> {
  const filters = call.query.filters();
  // Until 1.41 named volumes were pruned too.
  const { deleted, spaceReclaimed } = await call.engine.volumes.prune({
    filters: call.version < 42 ? withFilter(filters, 'all', 'true') : filters,
  });
  call.send({ VolumesDeleted: deleted, SpaceReclaimed: spaceReclaimed });
}
