import type { HostConfig } from '@gantry/sdk/engine';
import { driverName } from '../../drivers/index.ts';
import { cgroupVersion } from '../start/cgroups.ts';
import type { LifecycleParts } from '../types.ts';

/** What inspect shows for what the user left open, as Docker fills it in. */
export function withDefaults(
  hostConfig: HostConfig,
  { defaultLog, defaultRuntime, defaults = {} }: Pick<LifecycleParts, 'defaultLog' | 'defaultRuntime' | 'defaults'>,
): HostConfig {
  const { LogConfig, RestartPolicy, NetworkMode, IpcMode, CgroupnsMode, Runtime, ShmSize, VolumeDriver, Ulimits } = hostConfig;
  const limited = new Set((Ulimits ?? []).map(({ Name }) => Name));
  const further = (defaults.ulimits ?? []).filter(({ Name }) => !limited.has(Name));
  const restart = RestartPolicy?.Name ? RestartPolicy : { Name: 'no' as const, MaximumRetryCount: 0 };
  const log = LogConfig?.Type
    ? LogConfig
    : { Type: defaultLog?.driver ?? 'json-file', Config: LogConfig?.Config ?? defaultLog?.options ?? {} };
  return {
    ...hostConfig,
    LogConfig: { Type: driverName(log.Type ?? ''), Config: log.Config ?? {} },
    RestartPolicy: RestartPolicy?.Name || !RestartPolicy?.MaximumRetryCount ? restart : RestartPolicy,
    NetworkMode: NetworkMode || 'default',
    IpcMode: IpcMode || defaults.ipcMode || 'private',
    CgroupnsMode: CgroupnsMode || defaults.cgroupnsMode || (cgroupVersion() === 2 ? 'private' : 'host'),
    Runtime: driverName(Runtime || defaultRuntime || ''),
    ...(VolumeDriver === undefined ? {} : { VolumeDriver: driverName(VolumeDriver) }),
    ShmSize: ShmSize || defaults.shmSizeBytes || 64 * 2 ** 20,
    ...(further.length > 0 && { Ulimits: [...(Ulimits ?? []), ...further] }),
  };
}
