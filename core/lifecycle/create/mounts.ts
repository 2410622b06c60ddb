import { invalidArgument } from '@gantry/sdk';
import type { HostConfig } from '@gantry/sdk/engine';
import { isThere } from '../../execute/index.ts';
import type { PlannedMount } from '../model.ts';
import type { Room } from '../room.ts';
import type { WantedMount } from '../validate/index.ts';
import type { CheckedRequest } from './request.ts';

/** Finds or makes the volume of each wanted mount and refers to it; binds are checked. What is made goes onto `undo`. */
export async function planMounts(
  room: Room,
  id: string,
  { wanted }: CheckedRequest,
  undo: AsyncDisposableStack,
): Promise<readonly PlannedMount[]> {
  const planned: PlannedMount[] = [];
  for (const mount of wanted)
    planned.push(mount.type === 'volume' ? await planVolume(room, id, mount, undo) : await planOther(room, mount));
  return planned;
}

/** Copies what the image has below the destinations of volumes into those that are empty. The image's paths are resolved inside it. */
export async function copyImageContent(
  room: Room,
  {
    id,
    name,
    mounts,
    labels = {},
  }: {
    readonly id: string;
    readonly name: string;
    readonly mounts: readonly PlannedMount[];
    readonly labels?: Readonly<Record<string, string>> | undefined;
  },
): Promise<void> {
  const { layers, volumes, archives } = room.parts;
  const fresh = mounts.filter(({ volume, noCopy, subpath }) => volume !== undefined && !noCopy && subpath === '');
  if (fresh.length === 0) return;
  await using rootfs = await layers.borrow(id);
  for (const { volume, destination } of fresh) {
    if (volume === undefined) continue;
    const { path } = await volumes.attach(id, name, volume.name, { readOnly: false, labels, tellOf: '' });
    try {
      await archives.copyUp(rootfs.path, destination, path, { keepsRoot: volume.keepsRoot === true });
    } finally {
      await volumes.detach(id, volume.name, { tellOf: '' });
    }
  }
}

async function planVolume({ parts: { volumes } }: Room, id: string, mount: WantedMount, undo: AsyncDisposableStack): Promise<PlannedMount> {
  const { source, driver, driverOptions, labels, readOnly } = mount;
  const {
    name,
    driver: actual,
    anonymous,
    created,
    isSnapshot,
    keepsRoot,
  } = await volumes.ensure({
    ...(source === '' ? {} : { name: source }),
    ...(driver === '' ? {} : { driver }),
    options: driverOptions,
    labels,
    readOnly,
  });
  if (created && anonymous) undo.defer(() => volumes.removeAnonymous([name]));
  volumes.reference(id, name);
  undo.defer(() => volumes.unreference(id, name));
  const noCopy = mount.noCopy || isSnapshot;
  const shown = volumes.shownOptions(actual, driverOptions);
  return {
    ...mount,
    noCopy,
    driverOptions: shown,
    source: name,
    volume: { name, driver: actual, anonymous, keepsRoot },
    shownSource: await volumes.mountpoint(name),
  };
}

/** What the user asked for, without the secrets of volumes, which their own record has. */
export function withoutSecrets({ parts: { volumes } }: Room, hostConfig: HostConfig): HostConfig {
  const { Mounts } = hostConfig;
  if (Mounts === undefined || Mounts === null) return hostConfig;
  return {
    ...hostConfig,
    Mounts: Mounts.map((mount) => {
      const { VolumeOptions } = mount;
      const config = VolumeOptions?.DriverConfig;
      if (!config?.Options) return mount;
      const Options = volumes.shownOptions(config.Name ?? '', config.Options);
      return { ...mount, VolumeOptions: { ...VolumeOptions, DriverConfig: { ...config, Options } } };
    }),
  };
}

async function planOther({ parts: { images } }: Room, mount: WantedMount): Promise<PlannedMount> {
  const { type, source, createSource } = mount;
  // By id: the name may mean another image tomorrow, and an image that is in use is known by its id.
  if (type === 'image') return { ...mount, source: images.resolve(source).id, shownSource: source };
  if (type === 'bind' && !createSource && !(await isThere(source))) {
    throw invalidArgument(`invalid mount config for type "bind": bind source path does not exist: ${source}`);
  }
  return { ...mount, shownSource: type === 'tmpfs' ? '' : source };
}
