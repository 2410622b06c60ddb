import type { VolumeInfo } from '@gantry/sdk/engine';
import { createVolume } from '../bodies/objects.ts';
import { withoutAbsent } from '../http/absent.ts';
import type { Call } from '../http/call.ts';
import { driverName } from '../http/driver-name.ts';
import { withFilter } from '../http/filters.ts';
import { get, post, put, remove, type Route } from './route.ts';
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

export function volumeDocument({ name, driver, mountpoint, createdAt, labels, options, scope, status, usage }: VolumeInfo) {
  return {
    CreatedAt: createdAt,
    Driver: driver,
    Labels: labels,
    Mountpoint: mountpoint,
    Name: name,
    Options: options,
    Scope: scope,
    ...(status === undefined ? {} : { Status: status }),
    ...(usage === undefined ? {} : { UsageData: { RefCount: usage.refCount, Size: usage.sizeBytes } }),
  };
}

async function create(call: Call): Promise<void> {
  const { Name: name, Driver: driver, DriverOpts: options, Labels: labels } = await call.json(createVolume);
  const volume = await call.engine.volumes.create(withoutAbsent({ name: name || undefined, driver: driverName(driver), options, labels }));
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
