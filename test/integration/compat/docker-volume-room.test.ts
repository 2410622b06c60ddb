import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Drivers, guard, methodsOf } from '../../../core/drivers/index.ts';
import { Database } from '../../../core/metadata/index.ts';
import { VolumesRoom } from '../../../core/volumes/index.ts';
import { DockerPluginHost } from '../../support/plugins/docker-plugin-host.ts';
import { startDockerPlugin } from '../../support/plugins/docker-plugin.ts';
import { DockerVolumePlugin } from '../../support/plugins/docker-volume-plugin.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

test("two containers share a Docker plugin's volume, and the plugin is rid of both after an engine that was killed", async () => {
  await using host = new DockerPluginHost();
  using plugin = new DockerVolumePlugin(join(host.root, 'plugin'));
  await using served = await startDockerPlugin(host.socket('disk'), ['VolumeDriver'], plugin.methods);
  using database = new Database(join(host.root, 'engine.db'));
  const open = () => roomOf(host, database);
  const room = open();
  await room.create({ name: 'data', driver: 'disk', options: { colour: 'red' } });
  const mounts = await Promise.all(['a', 'b'].map((letter) => room.attach(letter.repeat(64), letter, 'data', { readOnly: false })));
  writeFileSync(join(mounts[0]?.path ?? '', 'file'), 'shared');
  assert.equal(readFileSync(join(mounts[1]?.path ?? '', 'file'), 'utf8'), 'shared');
  assert.equal(plugin.users('data').length, 2);
  await room.detach('b'.repeat(64), 'data');
  assert.equal(plugin.users('data').length, 1);
  await host.restart();
  const next = open();
  await next.reconcile();
  assert.deepEqual(plugin.users('data'), []);
  await next.remove('data', { force: false });
  assert.equal(existsSync(join(host.root, 'plugin', 'store', 'data')), false);
  assert.equal(served.calls.filter((call) => call === 'VolumeDriver.Mount').length, 2);
});

/** The engine's room over the adapter's drivers, as a host that looks names up hands them out. */
function roomOf(host: DockerPluginHost, database: Database): VolumesRoom {
  const grants = { plugin: 'compat', dataDir: '/nowhere', mountTypes: [], hostPaths: ['/'], devices: [], nftables: false };
  const drivers = {
    get: async () => guard(await host.driver('volume', 'disk'), methodsOf.volume, { label: 'volume driver disk' }),
    has: () => true,
    names: () => ['disk'],
    grants: () => grants,
  } as unknown as Drivers;
  const execRoot = join(host.root, 'run');
  return new VolumesRoom({ database, drivers, events: { publish: () => {} }, execRoot, defaultDriver: 'disk', log: quietLog });
}
