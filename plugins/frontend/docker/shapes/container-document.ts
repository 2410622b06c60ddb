import type { Container, ContainerState, Health, SizeInfo } from '@gantry/sdk/engine';
import { configZeros, hostConfigZeros } from './config-zeros.ts';
import { mountPoint } from './container-summary.ts';
import { networkSettings } from './network-settings.ts';

/** GET /containers/{id}/json. */
export function containerDocument(container: Container, { version, size }: { readonly version: number; readonly size?: SizeInfo }) {
  const { paths } = container;
  return {
    Id: container.id,
    Created: container.created,
    Path: container.path,
    Args: container.args,
    State: stateDocument(container.state),
    Image: container.imageId,
    ResolvConfPath: paths.resolvConf,
    HostnamePath: paths.hostname,
    HostsPath: paths.hosts,
    LogPath: paths.log,
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    Driver: container.graphDriver,
    Platform: container.platform,
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: container.appArmorProfile,
    ExecIDs: container.execIds.length === 0 ? null : container.execIds,
    HostConfig: { ...hostConfigZeros, ...container.hostConfig },
    GraphDriver: { Data: container.graphData, Name: container.graphDriver },
    ...(size === undefined ? {} : { SizeRw: size.rw, SizeRootFs: size.rootFs }),
    Mounts: container.mounts.map(mountPoint),
    Config: { ...configZeros, ...container.config },
    NetworkSettings: networkSettings(container, version),
  };
}

function stateDocument(state: ContainerState) {
  return {
    Status: state.status,
    Running: state.running,
    Paused: state.paused,
    Restarting: state.restarting,
    OOMKilled: state.oomKilled,
    Dead: state.dead,
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
    ...(state.health === undefined ? {} : { Health: healthDocument(state.health) }),
  };
}

function healthDocument({ status, failingStreak, log }: Health) {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ start, end, exitCode, output }) => ({ Start: start, End: end, ExitCode: exitCode, Output: output })),
  };
}
