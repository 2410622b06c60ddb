import type { Container, EndpointInfo, PublishedPorts } from '@gantry/sdk/engine';

/** `NetworkSettings` of an inspected container. */
export function networkSettings(container: Container, version: number) {
  const primary = primaryEndpoint(container);
  return {
    Bridge: '',
    SandboxID: container.sandboxKey === '' ? '' : container.id,
    SandboxKey: container.sandboxKey,
    Ports: portMap(container.ports),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: primary?.endpointId ?? '',
    Gateway: primary?.gateway ?? '',
    GlobalIPv6Address: primary?.ipAddress6 ?? '',
    GlobalIPv6PrefixLen: primary?.ipPrefixLength6 ?? 0,
    IPAddress: primary?.ipAddress ?? '',
    IPPrefixLen: primary?.ipPrefixLength ?? 0,
    IPv6Gateway: primary?.gateway6 ?? '',
    MacAddress: primary?.macAddress ?? '',
    Networks: endpointMap(container.networks, (endpoint) => endpointSettings(endpoint, version, endpoint.dnsNames)),
  };
}

/** `NetworkSettings` of a listed container. */
export function networkSummary({ networks }: Container, version: number) {
  return { Networks: endpointMap(networks, (endpoint) => endpointSettings({ ...endpoint, config: driverOptionsOnly(endpoint) }, version)) };
}

function endpointMap<T>(endpoints: readonly EndpointInfo[], map: (endpoint: EndpointInfo) => T): Readonly<Record<string, T>> {
  return Object.fromEntries(endpoints.map((endpoint) => [endpoint.networkName, map(endpoint)]));
}

function driverOptionsOnly({ config }: EndpointInfo): EndpointInfo['config'] {
  return { ...(config.IPAMConfig && { IPAMConfig: config.IPAMConfig }), DriverOpts: config.DriverOpts ?? null };
}

function endpointSettings(endpoint: EndpointInfo, version: number, dnsNames: readonly string[] = []) {
  const { config } = endpoint;
  return {
    IPAMConfig: config.IPAMConfig ?? null,
    Links: config.Links ?? null,
    Aliases: config.Aliases ?? null,
    MacAddress: endpoint.macAddress,
    DriverOpts: config.DriverOpts ?? null,
    ...(version >= 48 ? { GwPriority: config.GwPriority ?? 0 } : {}),
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.endpointId,
    Gateway: endpoint.gateway,
    IPAddress: endpoint.ipAddress,
    IPPrefixLen: endpoint.ipPrefixLength,
    IPv6Gateway: endpoint.gateway6,
    GlobalIPv6Address: endpoint.ipAddress6,
    GlobalIPv6PrefixLen: endpoint.ipPrefixLength6,
    ...(version >= 44 ? { DNSNames: dnsNames.length === 0 ? null : dnsNames } : {}),
  };
}

/** The endpoint that old clients see at the top level: Docker shows the default bridge's there, and no other's. */
function primaryEndpoint({ networks }: Container): EndpointInfo | undefined {
  return networks.find(({ networkName }) => networkName === 'bridge');
}

function portMap(ports: PublishedPorts) {
  const entries = Object.entries(ports).map(([port, bindings]) => [
    port,
    bindings?.map(({ hostIp, hostPort }) => ({ HostIp: hostIp, HostPort: hostPort === 0 ? '' : String(hostPort) })) ?? null,
  ]);
  return Object.fromEntries(entries) as Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>>;
}
