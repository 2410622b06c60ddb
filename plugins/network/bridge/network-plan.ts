import { invalidArgument } from '@gantry/sdk';
import { type Network, type NetworkPlan, parseCidr } from '@gantry/sdk/network';
import { type BridgeOptions, bridgeOptions, type GatewayMode } from './options.ts';

/** One bridge that has the gateway addresses, and how its packets are filtered and masqueraded. */
export function networkPlan(network: Network): NetworkPlan {
  const options = bridgeOptions(network);
  for (const family of [4, 6] as const) {
    const several = network.subnets.filter(({ cidr }) => familyOf(cidr) === family).length > 1;
    if (several) throw invalidArgument(`a bridge network has one IPv${family} subnet, and more were given for ${network.name}`);
  }
  const modeOf = (cidr: string): GatewayMode => options.gatewayMode[familyOf(cidr)];
  const isMasqueraded = (cidr: string): boolean => options.masquerade && !network.internal && modeOf(cidr).startsWith('nat');
  const subnetsIn = (mode: GatewayMode): readonly string[] =>
    network.subnets.map(({ cidr }) => cidr).filter((cidr) => modeOf(cidr) === mode);
  const [routed, open] = [subnetsIn('routed'), subnetsIn('nat-unprotected')];
  return {
    network,
    links: [
      {
        kind: 'bridge',
        name: options.bridge,
        ...(options.mtu === undefined ? {} : { mtu: options.mtu }),
        addresses: gateways(network, options),
        ...(options.mayExist ? { existing: true } : {}),
      },
    ],
    masquerade: network.subnets
      .filter(({ cidr }) => isMasqueraded(cidr))
      .map(({ cidr }) => ({ fromCidr: cidr, exceptOutLink: options.bridge, ...sourceOf(options, cidr) })),
    isolation: {
      bridge: options.bridge,
      internal: network.internal,
      interContainer: options.interContainer,
      subnets: network.subnets.map(({ cidr }) => cidr),
      ...(routed.length === 0 ? {} : { routedSubnets: routed }),
      ...(open.length === 0 ? {} : { openSubnets: open }),
      ...(options.trustedLinks.length === 0 ? {} : { trustedLinks: options.trustedLinks }),
    },
    sysctls: {
      // Lets the machine's own 127.0.0.1 be answered by a container behind a published port; the rules keep everybody else out.
      'net.ipv4.conf.IFNAME.route_localnet': '1',
      ...(options.interContainer || options.gatewayMode[4] === 'isolated' ? {} : byWayOfHost),
      ...(network.ipv6
        ? { 'net.ipv6.conf.IFNAME.accept_ra': '0', 'net.ipv6.conf.IFNAME.accept_dad': '0' }
        : { 'net.ipv6.conf.IFNAME.disable_ipv6': '1' }),
    },
    ...(options.publishAddress === undefined ? {} : { publishAddress: options.publishAddress }),
  };
}

function gateways({ subnets }: Network, { withoutAddress, gatewayMode }: BridgeOptions): readonly string[] {
  return subnets.flatMap(({ cidr, gateway }) => {
    const isWithout = (withoutAddress && familyOf(cidr) === 4) || gatewayMode[familyOf(cidr)] === 'isolated';
    return gateway === undefined || isWithout ? [] : [`${gateway}/${parseCidr(cidr)?.length}`];
  });
}

function sourceOf({ sourceAddress, sourceAddress6 }: BridgeOptions, cidr: string): { readonly toAddress?: string } {
  const source = familyOf(cidr) === 4 ? sourceAddress : sourceAddress6;
  return source === undefined ? {} : { toAddress: source };
}

/**
 * Containers that the bridge keeps apart reach each other by way of the host, whose rules let linked ones pass and nothing else: it answers for
 * them when they ask for each other (RFC 3069), and at once.
 */
const byWayOfHost = { 'net.ipv4.conf.IFNAME.proxy_arp_pvlan': '1', 'net.ipv4.neigh.IFNAME.proxy_delay': '0' };

const familyOf = (cidr: string): 4 | 6 => parseCidr(cidr)?.family ?? 4;
