import { isIP } from 'node:net';
import { invalidArgument } from '@gantry/sdk';
import { formatCidr, networkOf, parseAddress, parseCidr } from '@gantry/sdk/network';
import { checkSubnets } from './ipam/subnets.ts';

/** What whoever runs the engine sets for containers and networks that name nothing themselves. */
export interface NetworkDefaults {
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOptions?: readonly string[];
  /** Where ports are published; default: every address of both families. */
  readonly publishAddress?: string;
  /** The default bridge's own address with prefix length, "192.168.9.1/24"; default: the first free pool. */
  readonly bridgeCidr?: string;
  /** Of bridges, in bytes; default: 1500 for the default bridge, the kernel's choice for others. */
  readonly mtu?: number;
  /** Of users' networks that leave them open, by driver. */
  readonly networkOptions?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** What "host-gateway" stands for; default: the container's own gateway. */
  readonly hostGatewayIps?: readonly string[];
  /** Whether containers on the default bridge may talk to each other; default true. */
  readonly interContainer?: boolean;
  /** Published ports are served by this process instead of the kernel; default false. */
  readonly userlandProxy?: boolean;
}

/** Refuses with `invalid_argument` what no network could be made of, naming it. */
export function checkDefaults({ dns = [], dnsSearch = [], dnsOptions = [], ...given }: NetworkDefaults): void {
  const { publishAddress, bridgeCidr, mtu = 0, hostGatewayIps = [] } = given;
  for (const address of hostGatewayIps) if (isIP(address) === 0) throw invalidArgument(`host-gateway "${address}" is no address`);
  for (const server of dns) if (isIP(server) === 0) throw invalidArgument(`default DNS server "${server}" is no address`);
  for (const word of [...dnsSearch, ...dnsOptions]) {
    if (word === '' || /[\s\0]/.test(word))
      throw invalidArgument(`default DNS search domain or option ${JSON.stringify(word)} is not one word`);
  }
  if (publishAddress !== undefined && parseAddress(publishAddress) === undefined)
    throw invalidArgument(`address to publish ports on "${publishAddress}" is no address`);
  if (mtu !== 0 && !(Number.isInteger(mtu) && mtu >= 68 && mtu <= 65_535))
    throw invalidArgument(`the default MTU is ${mtu}; an MTU is 68 to 65535 bytes`);
  if (bridgeCidr !== undefined) checkSubnets([bridgeSubnet(bridgeCidr)], { ipv4: true, ipv6: false });
}

/** The subnet and the gateway of a bridge that has this address. */
export function bridgeSubnet(cidr: string): { readonly Subnet: string; readonly Gateway: string } {
  const parsed = parseCidr(cidr);
  if (parsed?.family !== 4) throw invalidArgument(`address of the default bridge "${cidr}" is no IPv4 address with a prefix length`);
  return { Subnet: formatCidr(networkOf(parsed)), Gateway: cidr.split('/')[0] ?? '' };
}
