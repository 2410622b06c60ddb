/** The networks that are there from the first start. Their names and drivers are part of Docker's API: `--network bridge|host|none`. */
export interface PredefinedNetwork {
  readonly name: string;
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
}

/** The network of containers that wish for none. Its bridge is not called docker0, so that Docker can live on the same machine. */
export const defaultNetwork = 'bridge';

export const predefinedNetworks: readonly PredefinedNetwork[] = [
  {
    name: defaultNetwork,
    driver: 'bridge',
    options: {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': 'true',
      'com.docker.network.bridge.enable_ip_masquerade': 'true',
      'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
      'com.docker.network.bridge.name': 'gantry0',
      'com.docker.network.driver.mtu': '1500',
    },
  },
  { name: 'host', driver: 'host', options: {} },
  { name: 'none', driver: 'null', options: {} },
];

/** Names that no user's network may have: Docker's, with its alias for the default one. */
export function isPredefinedName(name: string): boolean {
  return name === 'default' || predefinedNetworks.some((network) => network.name === name);
}
