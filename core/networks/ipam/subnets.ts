import { invalidArgument } from '@gantry/sdk';
import type { IpamSubnet } from '@gantry/sdk/engine';
import {
  bitsOf,
  type Cidr,
  contains,
  firstOf,
  formatCidr,
  lastOf,
  networkOf,
  overlaps,
  parseAddress,
  parseCidr,
} from '@gantry/sdk/network';

/** Checks the wished subnets of a network in Docker's words; all that is wrong is in one message. */
export function checkSubnets(subnets: readonly IpamSubnet[], { ipv4, ipv6 }: { readonly ipv4: boolean; readonly ipv6: boolean }): void {
  const problems = subnets.flatMap((subnet) => problemsOf(subnet, ipv6));
  const cidrs = subnets.flatMap(({ Subnet }) => parseCidr(Subnet ?? '') ?? []);
  for (const [index, one] of cidrs.entries()) {
    const other = cidrs.slice(index + 1).find((candidate) => overlaps(one, candidate));
    if (other !== undefined) problems.push(`subnets ${formatCidr(one)} and ${formatCidr(other)} overlap`);
    if (one.family === 4 && !ipv4) problems.push(`invalid subnet ${formatCidr(one)}: IPv4 has been disabled for the network`);
  }
  if (problems.length > 0) throw invalidArgument(`invalid network config:\n${problems.join('\n')}`);
}

function problemsOf({ Subnet = '', IPRange = '', Gateway = '', AuxiliaryAddresses = {} }: IpamSubnet, ipv6: boolean): string[] {
  if (Subnet === '') return IPRange === '' && Gateway === '' ? [] : ['a gateway or an ip-range needs a subnet'];
  const subnet = parseCidr(Subnet);
  if (subnet === undefined) return [`invalid subnet ${Subnet}: invalid CIDR block notation`];
  if (formatCidr(networkOf(subnet)) !== formatCidr(subnet)) {
    return [`invalid subnet ${Subnet}: it should be ${formatCidr(networkOf(subnet))}`];
  }
  return [
    ...unusable(subnet, ipv6).map((why) => `invalid subnet ${Subnet}: ${why}`),
    ...(IPRange === '' ? [] : rangeProblems(subnet, IPRange)),
    ...(Gateway === '' ? [] : addressProblems(subnet, Gateway, `gateway ${Gateway}`)),
    ...Object.entries(AuxiliaryAddresses).flatMap(([name, address]) => addressProblems(subnet, address, `auxiliary address ${name}`)),
    ...(Gateway !== '' && Object.values(AuxiliaryAddresses).includes(Gateway) ? [`gateway ${Gateway} is an auxiliary address, too`] : []),
  ];
}

const notForNetworks = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4', '240.0.0.0/4', '::/8', 'ff00::/8', 'fe80::/10'].flatMap(
  (text) => parseCidr(text) ?? [],
);

function unusable(subnet: Cidr, ipv6: boolean): string[] {
  if (subnet.length === 0) return ['it holds every address'];
  const special = notForNetworks.find((one) => overlaps(one, subnet));
  if (special !== undefined) return [`it overlaps ${formatCidr(special)}, which no network can use`];
  if (subnet.length > bitsOf(subnet.family) - 1) return ['it has no room for a gateway and a container'];
  if (subnet.family === 6 && !ipv6) return ['IPv6 has not been enabled for the user-defined network'];
  return [];
}

function rangeProblems(subnet: Cidr, text: string): string[] {
  const range = parseCidr(text);
  if (range === undefined) return [`invalid ip-range ${text}: invalid CIDR block notation`];
  if (range.family !== subnet.family) return [`invalid ip-range ${text}: parent subnet is an IPv${subnet.family} block`];
  if (formatCidr(networkOf(range)) !== formatCidr(range)) return [`invalid ip-range ${text}: it should be ${formatCidr(networkOf(range))}`];
  return contains(subnet, range) ? [] : [`invalid ip-range ${text}: parent subnet ${formatCidr(subnet)} doesn't contain ip-range`];
}

function addressProblems(subnet: Cidr, text: string, what: string): string[] {
  const address = parseAddress(text);
  if (address === undefined) return [`invalid ${what}: invalid address`];
  if (address.family !== subnet.family) return [`invalid ${what}: parent subnet is an IPv${subnet.family} block`];
  if (!contains(subnet, address)) return [`invalid ${what}: parent subnet ${formatCidr(subnet)} doesn't contain this address`];
  const isPointToPoint = subnet.length >= bitsOf(subnet.family) - 1;
  if (!isPointToPoint && address.value === firstOf(subnet)) return [`invalid ${what}: it is the address of the network itself`];
  if (!isPointToPoint && subnet.family === 4 && address.value === lastOf(subnet)) return [`invalid ${what}: it is the broadcast address`];
  return [];
}
