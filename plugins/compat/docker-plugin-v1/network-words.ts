import type { Endpoint, Network, Subnet } from '@gantry/sdk/network';
import { parseCidr } from '@gantry/sdk/network';
import type { Answer } from './answer.ts';

/** A network in the words of Docker's `NetworkDriver.CreateNetwork`. */
export function createNetworkBody(network: Network): Answer {
  return {
    NetworkID: network.id,
    Options: {
      'com.docker.network.generic': network.options,
      'com.docker.network.enable_ipv4': network.ipv4,
      'com.docker.network.enable_ipv6': network.ipv6,
      ...(network.internal ? { 'com.docker.network.internal': true } : {}),
    },
    IPv4Data: network.subnets.filter((subnet) => isFamily(subnet, 4)).map(ipamData),
    IPv6Data: network.subnets.filter((subnet) => isFamily(subnet, 6)).map(ipamData),
  };
}

/** An endpoint as `CreateEndpoint` takes it: fields that nobody has decided yet stay empty. */
export function createEndpointBody(networkId: string, endpointId: string, endpoint: Endpoint): Answer {
  const [ipv4, ipv6] = ([4, 6] as const).map((family) => endpoint.addresses.find((address) => parseCidr(address)?.family === family) ?? '');
  return {
    NetworkID: networkId,
    EndpointID: endpointId,
    Options: endpointOptions(endpoint),
    Interface: { Address: ipv4, AddressIPv6: ipv6, MacAddress: endpoint.mac ?? '' },
  };
}

/** As libnetwork says them, in numbers of protocols. The engine maps what is published; a plugin that wants to know of it, does. */
export function endpointOptions({ options, mac, exposedPorts = [], ports = [] }: Endpoint): Answer {
  return {
    ...options,
    ...(mac === undefined ? {} : { 'com.docker.network.endpoint.macaddress': mac }),
    'com.docker.network.endpoint.exposedports': exposedPorts.map(({ protocol, containerPort }) => ({
      Proto: protocols[protocol],
      Port: containerPort,
    })),
    'com.docker.network.portmap': ports.map(({ protocol, containerPort, hostIp, hostPort, hostPortEnd = hostPort }) => ({
      Proto: protocols[protocol],
      IP: '',
      Port: containerPort,
      HostIP: hostIp,
      HostPort: hostPort,
      HostPortEnd: hostPortEnd,
    })),
  };
}

/** IANA's protocol numbers. */
const protocols = { tcp: 6, udp: 17, sctp: 132 } as const;

function isFamily({ cidr }: Subnet, family: 4 | 6): boolean {
  return parseCidr(cidr)?.family === family;
}

function ipamData({ cidr, gateway, aux = {} }: Subnet): Answer {
  const length = cidr.slice(cidr.indexOf('/'));
  const others = Object.entries(aux).map(([name, address]) => [name, `${address}${length}`] as const);
  return {
    AddressSpace: 'LocalDefault',
    Pool: cidr,
    ...(gateway === undefined ? {} : { Gateway: `${gateway}${length}` }),
    ...(others.length === 0 ? {} : { AuxAddresses: Object.fromEntries(others) }),
  };
}
