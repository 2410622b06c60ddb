import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { internal, notFound } from '@gantry/sdk';
import { MemoryVolumeDriver } from '@gantry/sdk/testing';
import type { VolumeDriver } from '@gantry/sdk/volume';
import type { Drivers } from '../../../core/drivers/index.ts';
import type { EventBus } from '../../../core/events/index.ts';
import { Database } from '../../../core/metadata/index.ts';
import { VolumesRoom } from '../../../core/volumes/index.ts';
import { LocalDriver } from '../../../plugins/volume/local/driver.ts';
import { quietLog } from '../machine/quiet-log.ts';

/** Describes whatever the test wants. */
export class EvilDriver extends MemoryVolumeDriver {
  mount: { readonly type: string; readonly source: object; readonly options?: readonly string[] } = { type: 'bind', source: {} };

  override async attach() {
    return { attachment: { mounts: [this.mount as never] } };
  }
}

/** What every driver has, and no more. */
function withoutOptional(driver: MemoryVolumeDriver): VolumeDriver {
  return {
    create: (...given) => driver.create(...given),
    remove: (...given) => driver.remove(...given),
    stat: (...given) => driver.stat(...given),
    list: (...given) => driver.list(...given),
    attach: (...given) => driver.attach(...given),
    detach: (...given) => driver.detach(...given),
  };
}

/** A volumes room over a folder, with drivers of each kind. */
export function openHouse() {
  const folder = mkdtempSync(join(tmpdir(), 'volumes-'));
  const dataDir = join(folder, 'plugins', 'local');
  const execRoot = join(folder, 'run');
  const local = new LocalDriver(dataDir);
  const memory = new MemoryVolumeDriver();
  const evil = new EvilDriver();
  const down = withoutOptional(new MemoryVolumeDriver());
  const byName: Readonly<Record<string, VolumeDriver>> = { local, memory, evil, down };
  const drivers: Drivers = {
    get: async (_, name) => {
      if (byName[name] === undefined) throw notFound(`volume driver "${name}" not found`, { reason: 'DRIVER_NOT_FOUND' });
      return byName[name] as never;
    },
    has: (_, name) => name in byName,
    names: () => Object.keys(byName),
    grants: (_, name) => ({
      plugin: name,
      dataDir,
      mountTypes: [],
      hostPaths: name === 'local' ? ['/'] : [],
      devices: [],
      nftables: false,
    }),
    preferred: async () => {
      throw internal('not asked for');
    },
  };
  const database = new Database(join(folder, 'metadata.db'));
  const published: { readonly action: string; readonly actor: { readonly attributes: Readonly<Record<string, string>> } }[] = [];
  const events: Pick<EventBus, 'publish'> = {
    publish: (...[, action, , attributes]) => void published.push({ action, actor: { attributes: attributes ?? {} } }),
  };
  const open = () => new VolumesRoom({ database, drivers, events, execRoot, defaultDriver: 'local', log: quietLog });
  return {
    folder,
    dataDir,
    execRoot,
    local,
    memory,
    evil,
    database,
    room: open(),
    restart: open,
    actions: () => published.map(({ action }) => action),
    events: (wanted: string) => published.filter(({ action }) => action === wanted),
    async [Symbol.asyncDispose]() {
      database[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    },
  };
}
