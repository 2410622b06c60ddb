import type { DriverKinds, HostContext } from '@gantry/sdk';
import type { DockerKind } from '@gantry/sdk/legacy/wire';
import type { Connection } from './connection.ts';
import { DockerAuthzDriver } from './authz.ts';
import { DockerIpamDriver } from './ipam.ts';
import { makeLogDriver } from './log.ts';
import { DockerNetworkDriver } from './network.ts';
import { DockerVolumeDriver } from './volume.ts';

export interface DriverSurroundings {
  readonly host: Pick<HostContext, 'state' | 'runDir'>;
  readonly loggingFolder: string;
}

/** A driver over one plugin; some kinds ask it first what it can. */
export async function makeDriver(
  kind: DockerKind,
  plugin: Connection,
  { host, loggingFolder }: DriverSurroundings,
): Promise<DriverKinds[DockerKind]> {
  switch (kind) {
    case 'volume':
      return new DockerVolumeDriver(plugin, host.state);
    case 'network':
      return new DockerNetworkDriver(plugin, host.state);
    case 'ipam':
      return new DockerIpamDriver(plugin, host.state);
    case 'log':
      return makeLogDriver(plugin, { state: host.state, folder: loggingFolder });
    case 'authz':
      return new DockerAuthzDriver(plugin);
    default:
      return kind satisfies never;
  }
}
