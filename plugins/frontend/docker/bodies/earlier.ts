import type { ContainerConfig, HostConfig } from '@gantry/sdk/engine';

type Mount = NonNullable<HostConfig['Mounts']>[number];

/**
 * What clients of earlier versions of the API mean by what they leave open; what they say that came later is not heard. Docker's change log
 * has the versions.
 */
export function asOfVersion(hostConfig: HostConfig, version: number): HostConfig {
  if (version >= 45) return hostConfig;
  const { Annotations: _later, ...untilAnnotations } = hostConfig;
  return {
    ...(version < 43 ? untilAnnotations : hostConfig),
    ...(hostConfig.Mounts && { Mounts: hostConfig.Mounts.map((mount) => mountOf(mount, version)) }),
    ...(version < 42 && { ConsoleSize: [0, 0] }),
    ...(version < 41 && { CgroupnsMode: hostConfig.CgroupnsMode || 'host' }),
    ...(version < 40 && { IpcMode: hostConfig.IpcMode || 'shareable' }),
    // Until then clients removed containers themselves.
    ...(version < 25 && { AutoRemove: false }),
  };
}

export function configOfVersion<Config extends ContainerConfig>(config: Config, version: number): Config {
  const { Healthcheck } = config;
  if (version >= 44 || !Healthcheck) return config;
  const { StartInterval: _later, ...known } = Healthcheck;
  return { ...config, Healthcheck: known };
}

function mountOf(mount: Mount, version: number): Mount {
  const { BindOptions, VolumeOptions } = mount;
  if (VolumeOptions) {
    const { Subpath: _later, ...known } = VolumeOptions;
    return { ...mount, VolumeOptions: known };
  }
  if (mount.Type !== 'bind' || version >= 44) return mount;
  // Mounts below one that is read-only stayed writable.
  const { ReadOnlyForceRecursive: _force, ReadOnlyNonRecursive: _not, CreateMountpoint, NonRecursive, ...known } = BindOptions ?? {};
  return {
    ...mount,
    BindOptions: {
      ...known,
      ReadOnlyNonRecursive: true,
      ...(version >= 42 && CreateMountpoint !== undefined && { CreateMountpoint }),
      ...(version >= 40 && NonRecursive !== undefined && { NonRecursive }),
    },
  };
}
