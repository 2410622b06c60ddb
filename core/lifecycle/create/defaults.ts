import type { HostConfig } from '@gantry/sdk/engine';
import { driverName } from '../../drivers/index.ts';
import { cgroupVersion } from '../start/cgroups.ts';
import type { LifecycleParts } from '../types.ts';

/** What inspect shows for what the user left open, as Docker fills it in. */
export function withDefaults(
  hostConfig: HostConfig,
  { defaultLog, defaultRuntime }: Pick<LifecycleParts, 'defaultLog' | 'defaultRuntime'>,
): HostConfig {
  const { LogConfig, RestartPolicy, NetworkMode, IpcMode, CgroupnsMode, Runtime, ShmSize, VolumeDriver } = hostConfig;
  const restart = RestartPolicy?.Name ? RestartPolicy : { Name: 'no' as const, MaximumRetryCount: 0 };
  const log = LogConfig?.Type
    ? LogConfig
    : { Type: defaultLog?.driver ?? 'json-file', Config: LogConfig?.Config ?? defaultLog?.options ?? {} };
  return {
    ...hostConfig,
    LogConfig: { Type: driverName(log.Type ?? ''), Config: log.Config ?? {} },
    RestartPolicy: RestartPolicy?.Name || !RestartPolicy?.MaximumRetryCount ? restart : RestartPolicy,
    NetworkMode: NetworkMode || 'default',
    IpcMode: IpcMode || 'private',
    CgroupnsMode: CgroupnsMode || (cgroupVersion() === 2 ? 'private' : 'host'),
    Runtime: driverName(Runtime || defaultRuntime || ''),
    ...(VolumeDriver === undefined ? {} : { VolumeDriver: driverName(VolumeDriver) }),
    ShmSize: ShmSize || 64 * 2 ** 20,
  };
}
