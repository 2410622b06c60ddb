/** A process that does one thing with volumes, to be killed at a failpoint: `volume-engine.ts ROOT create|remove|rename|clone|reconcile|list`. Prints the names it has at the end. */
import { join } from 'node:path';
import type { Drivers } from '../../../core/drivers/index.ts';
import { Database } from '../../../core/metadata/index.ts';
import { VolumesRoom } from '../../../core/volumes/index.ts';
import { LocalDriver } from '../../../plugins/volume/local/driver.ts';
import { quietLog } from '../machine/quiet-log.ts';

const [root = '', verb = ''] = process.argv.slice(2);
const driver = new LocalDriver(join(root, 'local'));
const drivers = {
  get: async () => driver,
  has: () => true,
  names: () => ['local'],
  grants: () => ({ plugin: 'local', dataDir: join(root, 'local'), mountTypes: [], hostPaths: [], devices: [], nftables: false }),
} as unknown as Drivers;
const room = new VolumesRoom({
  database: new Database(join(root, 'metadata.db')),
  drivers,
  events: { publish: () => {} },
  execRoot: join(root, 'run'),
  defaultDriver: 'local',
  log: quietLog,
});
if (verb === 'create') await room.create({ name: 'data', options: { type: 'tmpfs', device: 'tmpfs' } });
if (verb === 'folder') await room.create({ name: 'data' });
if (verb === 'rename') await room.rename('data', 'other');
if (verb === 'clone') await room.clone({ from: 'data', name: 'other' });
if (verb === 'remove') await room.remove('data', { force: false });
if (verb === 'reconcile') await room.reconcile();
process.stdout.write((await room.list({})).volumes.map(({ name }) => name).join(' '));
