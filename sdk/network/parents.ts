import { contains, parseCidr } from './addresses.ts';
import type { Link, Network, Route, Subnet } from './contract.ts';

/**
 * The link that containers' macvlan or ipvlan links lie on: `parent` as it is, "eth0.20" as VLAN 20 of eth0 (made when it is not there), and
 * without a parent a wire that belongs to the network, named by `prefix` (at most 3 bytes) and its id.
 */
export function parentLink(
  { id }: Pick<Network, 'id'>,
  { parent, prefix }: { readonly parent: string | undefined; readonly prefix: string },
): Link {
  if (parent === undefined) return { kind: 'dummy', name: `${prefix}${id.slice(0, 12)}` };
  const [, below, vlan] = /^(.+)\.([1-9]\d{0,3})$/.exec(parent) ?? [];
  if (below === undefined || vlan === undefined || Number(vlan) > 4_094) return { kind: 'existing', name: parent };
  return { kind: 'vlan', name: parent, parent: below, attrs: { id: vlan }, existing: true };
}

/** A default route for each address, by the gateway of its subnet; none where that has no gateway. */
export function gatewayRoutes(subnets: readonly Subnet[], addresses: readonly string[]): readonly (Route & { readonly via: string })[] {
  return addresses.flatMap((text) => {
    const address = parseCidr(text);
    const home = subnets.find(({ cidr }) => {
      const subnet = parseCidr(cidr);
      return subnet !== undefined && address !== undefined && contains(subnet, address);
    });
    return home?.gateway === undefined ? [] : [{ to: address?.family === 6 ? '::/0' : '0.0.0.0/0', via: home.gateway }];
  });
}

/**
 * Settings of an interface on a network that others share: it tells its neighbours of its addresses when it comes up, since they may remember the hardware address of
 * whoever had them before; routers there do not configure it; and it has no IPv6 without an IPv6 address.
 */
export function neighbourSysctls(addresses: readonly string[]): Readonly<Record<string, string>> {
  const hasIpv6 = addresses.some((address) => parseCidr(address)?.family === 6);
  return {
    'net.ipv4.conf.IFNAME.arp_notify': '1',
    ...(hasIpv6
      ? { 'net.ipv6.conf.IFNAME.accept_ra': '0', 'net.ipv6.conf.IFNAME.ndisc_notify': '1' }
      : { 'net.ipv6.conf.IFNAME.disable_ipv6': '1' }),
  };
}
