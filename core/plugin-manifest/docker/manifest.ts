import { checkManifest, type DriverKind, driverKinds, type Manifest, notImplemented, type Privileges } from '@gantry/sdk';
import { dockerKinds, isDockerKind } from '@gantry/sdk/legacy/wire';
import { type DockerConfig, readDockerConfig } from './config.ts';
import { settingsSchema } from './settings.ts';

/**
 * Docker's managed plugin as one of ours. `name`: the reference it was installed under; its drivers have that name without ":latest", which
 * is what users give as the driver. `invalid_argument` for a config that is not as it may be, `not_implemented` when it has no kind of driver
 * that is known here.
 */
export function fromDockerConfig(config: unknown, name: string): Manifest {
  const known = readDockerConfig(config);
  const driver = name.replace(/:latest$/, '');
  const provides = providedBy(known).map((contract) => ({ contract, versions: ['v1'], drivers: [driver] }));
  if (provides.length === 0) {
    throw notImplemented(`plugin ${name} has no kind of driver that is known here: ${known.Interface.Types.join(', ') || 'none'}`);
  }
  return checkManifest({
    manifestVersion: 1,
    name: manifestName(name),
    version: /:v?(\d+\.\d+\.\d+[\w.+-]*)$/.exec(name)?.[1] ?? '0.0.0',
    description: known.Description.slice(0, 400),
    documentation: known.Documentation.slice(0, 400),
    provides,
    entry: { exec: known.Entrypoint.map((word) => word.slice(0, 400)) },
    placement: ['process'],
    settings: settingsSchema(known),
    privileges: privilegesIn(known),
    // Two at once were never meant to work on the same mounts.
    state: { upgrade: 'exclusive' },
  });
}

function providedBy({ Interface }: DockerConfig): readonly DriverKind[] {
  const wanted = Interface.Types.map(wordIn);
  return driverKinds.filter((kind) => isDockerKind(kind) && wanted.includes(wordIn(dockerKinds[kind].type)));
}

/** "volumedriver" of "docker.volumedriver/1.0", whatever the version. */
function wordIn(type: string): string | undefined {
  return /^docker\.([a-z]+)\//.exec(type)?.[1];
}

/** What the engine keeps it under: the reference without its tag, in the letters that our names have. */
function manifestName(name: string): string {
  const repository = name.replace(/@.*$/, '').replace(/:[\w.-]+$/, '');
  return repository
    .replace(/[^a-z0-9._-]+/g, '.')
    .slice(-128)
    .replace(/^[._-]+|[._-]+$/g, '');
}

function privilegesIn({ Mounts, Linux, Network, IpcHost, PidHost, PropagatedMount }: DockerConfig): Privileges {
  const hostPaths = Mounts.flatMap(({ Source, Type }) => (Source?.startsWith('/') === true && Type !== 'tmpfs' ? [Source] : []));
  const types = Mounts.map(({ Type }) => Type).filter((type) => !harmless.has(type));
  const devices = Linux.Devices.flatMap(({ Path = '' }) => (Path === '' ? [] : [Path]));
  return {
    // Docker gives them the root of their own file system.
    user: 'root',
    ...(hostPaths.length === 0 ? {} : { hostPaths: [...new Set(hostPaths)] }),
    ...(types.length === 0 ? {} : { mountTypes: [...new Set(types)] }),
    ...(devices.length === 0 && !Linux.AllowAllDevices
      ? {}
      : { devices: [...new Set([...devices, ...(Linux.AllowAllDevices ? ['/dev'] : [])])] }),
    ...(Linux.Capabilities.length === 0 ? {} : { capabilities: [...new Set(Linux.Capabilities)] }),
    ...(Network.Type === 'host' ? { network: 'host' } : {}),
    ...(IpcHost ? { hostIpc: true } : {}),
    ...(PidHost ? { hostPid: true } : {}),
    ...(PropagatedMount === '' ? {} : { driverMounted: true }),
  };
}

const harmless = new Set(['', 'bind', 'rbind', 'none', 'tmpfs', 'proc', 'mqueue', 'devpts']);
