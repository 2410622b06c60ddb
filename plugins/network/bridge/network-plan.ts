import { type Network, type NetworkPlan, parseCidr } from '@gantry/sdk/network';
import { bridgeOptions } from './options.ts';

/** One bridge that has the gateway addresses, and how its packets are filtered and masqueraded. */
export function networkPlan(network: Network): NetworkPlan {
  const options = bridgeOptions(network);
  const isMasqueraded = options.masquerade && !network.internal;
  return {
    network,
    links: [
      {
        kind: 'bridge',
        name: options.bridge,
        ...(options.mtu === undefined ? {} : { mtu: options.mtu }),
        addresses: gateways(network, options.withoutAddress),
        ...(options.mayExist ? { existing: true } : {}),
      },
    ],
    masquerade: isMasqueraded
      ? network.subnets.map(({ cidr }) => ({
          fromCidr: cidr,
          exceptOutLink: options.bridge,
          ...(options.sourceAddress !== undefined && isIpv4(cidr) ? { toAddress: options.sourceAddress } : {}),
        }))
      : [],
    isolation: {
      bridge: options.bridge,
      internal: network.internal,
      interContainer: options.interContainer,
      subnets: network.subnets.map(({ cidr }) => cidr),
    },
    sysctls: {
      // Lets the machine's own 127.0.0.1 be answered by a container behind a published port; the rules keep everybody else out.
      'net.ipv4.conf.IFNAME.route_localnet': '1',
      ...(network.ipv6
        ? { 'net.ipv6.conf.IFNAME.accept_ra': '0', 'net.ipv6.conf.IFNAME.accept_dad': '0' }
        : { 'net.ipv6.conf.IFNAME.disable_ipv6': '1' }),
    },
    ...(options.publishAddress === undefined ? {} : { publishAddress: options.publishAddress }),
  };
}

function gateways({ subnets }: Network, withoutIpv4: boolean): readonly string[] {
  return subnets.flatMap(({ cidr, gateway }) =>
    gateway === undefined || (withoutIpv4 && isIpv4(cidr)) ? [] : [`${gateway}/${parseCidr(cidr)?.length}`],
  );
}

const isIpv4 = (cidr: string) => parseCidr(cidr)?.family === 4;
