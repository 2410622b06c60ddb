import { isDeepStrictEqual } from 'node:util';
import type { IpamConfig } from '@gantry/sdk/engine';
import { parseAddress } from '@gantry/sdk/network';
import { bridgeSubnet, type NetworkDefaults } from '../defaults.ts';
import type { NetworkRecord } from '../documents.ts';

/** The networks that are there from the first start. Their names and drivers are part of Docker's API: `--network bridge|host|none`. */
export interface PredefinedNetwork {
  readonly name: string;
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
  readonly ipam?: IpamConfig;
}

/** The network of containers that wish for none. Its bridge is not called docker0, so that Docker can live on the same machine. */
export const defaultNetwork = 'bridge';

export const mtuOption = 'com.docker.network.driver.mtu';

export function predefinedNetworks(defaults: NetworkDefaults): readonly PredefinedNetwork[] {
  return [defaultBridge(defaults), { name: 'host', driver: 'host', options: {} }, { name: 'none', driver: 'null', options: {} }];
}

/** Whether a network that an earlier engine made is what these settings ask for. */
export function isAsWished({ document: { plan, ipam, hasUserSubnets } }: NetworkRecord, wanted: PredefinedNetwork): boolean {
  const subnets = wanted.ipam?.Config ?? [];
  const isSubnet = hasUserSubnets ? isDeepStrictEqual(ipam.Config, subnets) : subnets.length === 0;
  return isSubnet && isDeepStrictEqual(plan.network.options, wanted.options);
}

/** Names that no user's network may have: Docker's, with its alias for the default one. */
export function isPredefinedName(name: string): boolean {
  return ['default', defaultNetwork, 'host', 'none'].includes(name);
}

function defaultBridge({ publishAddress = '0.0.0.0', bridgeCidr, mtu, interContainer = true }: NetworkDefaults): PredefinedNetwork {
  // The option knows IPv4 only; any other address counts as the default of all networks.
  const hostBinding = parseAddress(publishAddress)?.family === 4;
  return {
    name: defaultNetwork,
    driver: 'bridge',
    options: {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': String(interContainer),
      'com.docker.network.bridge.enable_ip_masquerade': 'true',
      ...(hostBinding ? { 'com.docker.network.bridge.host_binding_ipv4': publishAddress } : {}),
      'com.docker.network.bridge.name': 'gantry0',
      [mtuOption]: String(mtu || 1500),
    },
    ...(bridgeCidr === undefined ? {} : { ipam: { Config: [bridgeSubnet(bridgeCidr)] } }),
  };
}
