import { type Cidr, type Endpoint, type EndpointPlan, type Network, parseAddress, parseCidr } from '@gantry/sdk/network';
import { bridgeOptions } from './options.ts';

/** One veth into the container, its address, and the way out by the bridge. */
export function endpointPlan(network: Network, endpoint: Endpoint): EndpointPlan {
  const options = bridgeOptions(network);
  const addresses = endpoint.addresses.flatMap((text) => parseCidr(text) ?? []);
  const has = (family: 4 | 6) => addresses.some((address) => address.family === family);
  const gateway = (family: 4 | 6) =>
    network.internal || !has(family)
      ? undefined
      : network.subnets.map((subnet) => subnet.gateway).find((address) => parseAddress(address ?? '')?.family === family);
  const [gateway4, gateway6] = [gateway(4), gateway(6)];
  const mac = endpoint.mac ?? derivedMac(addresses);
  return {
    link: {
      kind: 'veth',
      name: endpoint.ifname ?? `${options.interfacePrefix}%d`,
      master: options.bridge,
      ...(options.mtu === undefined ? {} : { mtu: options.mtu }),
      ...(options.interContainer ? {} : { attrs: { isolated: '1' } }),
    },
    ...(mac === undefined ? {} : { mac }),
    addresses: endpoint.addresses,
    routes: [
      ...(gateway4 === undefined ? [] : [{ to: '0.0.0.0/0', via: gateway4 }]),
      ...(gateway6 === undefined ? [] : [{ to: '::/0', via: gateway6 }]),
    ],
    sysctls: has(6)
      ? { 'net.ipv6.conf.IFNAME.accept_ra': '0', 'net.ipv6.conf.IFNAME.accept_dad': '0' }
      : { 'net.ipv6.conf.IFNAME.disable_ipv6': '1' },
    publishable: !network.internal,
    ...(gateway4 === undefined ? {} : { gateway: gateway4 }),
    ...(gateway6 === undefined ? {} : { gateway6 }),
  };
}

/** 02:42 and the IPv4 address: a container that takes over an address answers under the same MAC, so no neighbour's ARP entry goes stale. */
function derivedMac(addresses: readonly Cidr[]): string | undefined {
  const address = addresses.find(({ family }) => family === 4);
  if (address === undefined) return undefined;
  const digits = `0242${address.value.toString(16).padStart(8, '0')}`;
  return digits.match(/../g)?.join(':');
}
