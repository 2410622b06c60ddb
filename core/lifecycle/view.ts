import type { Container, ContainerState, ContainerStatus, MountPoint } from '@gantry/sdk/engine';
import type { Entry } from './entry.ts';
import type { Folders } from './folders.ts';
import type { PlannedMount, StateDocument } from './model.ts';
import type { LifecycleParts } from './types.ts';

const never = '0001-01-01T00:00:00Z';

/** A container as users see it. Asks the other rooms only for what they have in memory. */
export function renderContainer(
  entry: Entry,
  { layers, networks, volumes }: Pick<LifecycleParts, 'layers' | 'networks' | 'volumes'>,
  folders: Folders,
): Container {
  const { id, name, document, run } = entry;
  const { config, hostConfig } = document;
  const files = folders.files(id);
  const broken = volumes.broken(id);
  return {
    id,
    name,
    created: document.created,
    path: document.path,
    args: document.args,
    config,
    hostConfig,
    state: renderState(entry.state),
    imageId: document.imageId,
    platform: document.platform,
    ...layers.describe(id),
    restartCount: entry.state.restartCount,
    execIds: [...entry.execIds],
    mounts: document.mounts
      .filter(({ type }) => type !== 'tmpfs' || isListedTmpfs(entry))
      .map((mount) => mountPoint(mount, broken.get(mount.volume?.name ?? ''))),
    networks: networks.endpoints({ id, hostConfig, networks: document.networks }),
    ports: run === undefined ? {} : networks.ports({ id, config, hostConfig }),
    sandboxKey: run?.sandboxKey ?? '',
    paths: { resolvConf: files.resolvConf, hosts: files.hosts, hostname: files.hostname, log: document.log.path },
    appArmorProfile: '',
  };
}

/** Docker lists tmpfs mounts that came as mounts, not those of --tmpfs. */
function isListedTmpfs({ document }: Entry): boolean {
  return (document.hostConfig.Mounts ?? []).some(({ Type }) => Type === 'tmpfs');
}

export function statusOf({ phase }: StateDocument): ContainerStatus {
  switch (phase.kind) {
    case 'running':
      return phase.paused ? 'paused' : 'running';
    case 'starting':
      return phase.from;
    case 'created':
    case 'restarting':
    case 'exited':
    case 'removing':
    case 'dead':
      return phase.kind;
    default:
      return phase satisfies never;
  }
}

function renderState(state: StateDocument): ContainerState {
  const { phase, health } = state;
  const isRestarting = phase.kind === 'restarting';
  return {
    status: statusOf(state),
    running: phase.kind === 'running' || isRestarting,
    paused: phase.kind === 'running' && phase.paused,
    restarting: isRestarting,
    oomKilled: state.oomKilled,
    dead: phase.kind === 'dead',
    pid: phase.kind === 'running' ? phase.run.pid : 0,
    exitCode: state.exitCode,
    error: state.error,
    startedAt: state.startedAt || never,
    finishedAt: state.finishedAt || never,
    ...(health === undefined ? {} : { health }),
  };
}

function mountPoint(mount: PlannedMount, broken: string | undefined): MountPoint {
  const { type, destination, mode, readOnly, propagation, volume, shownSource } = mount;
  return {
    type,
    ...(volume === undefined ? {} : { name: volume.name, driver: volume.driver }),
    source: shownSource,
    destination,
    mode,
    readOnly,
    propagation: propagation || (type === 'bind' ? 'rprivate' : ''),
    ...(broken === undefined ? {} : { broken }),
  };
}
