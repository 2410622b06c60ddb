import type { IpamConfig, IpamSubnet } from '@gantry/sdk/engine';
import { invalidArgument } from '@gantry/sdk/errors';
import { usageReason } from '../../command.ts';
import { flag, list, text, value } from '../../option.ts';
import { parseIp } from '../../parse/address.ts';
import { parseAssignment, parseKeyValue, toRecord } from '../../parse/key-value.ts';
import { verb } from '../../verb.ts';

interface NetworkCreateFlags {
  readonly driver: string;
  readonly opt: readonly (readonly [string, string])[];
  readonly label: readonly (readonly [string, string])[];
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly subnet: readonly string[];
  readonly gateway: readonly string[];
  readonly ipRange: readonly string[];
  readonly auxAddress: readonly (readonly [string, string])[];
  readonly ipamDriver?: string;
  readonly ipamOpt: readonly (readonly [string, string])[];
}

export const createNetwork = verb<NetworkCreateFlags>({
  arguments: '<name>',
  options: [
    value('-d, --driver <driver>', 'Network driver', text).default('bridge'),
    list('-o, --opt <key=value>', 'Option of the driver', parseAssignment),
    list('--label <key=value>', 'Label', parseKeyValue),
    flag('--internal', 'Without a way out'),
    flag('--attachable', 'Accepted, for swarm'),
    flag('--ipv4', 'IPv4 (default: true)'),
    flag('--ipv6', 'IPv6 too'),
    list('--subnet <cidr>', 'Addresses of the network: 10.1.0.0/24', text),
    list('--gateway <address>', "The network's own address", parseIp),
    list('--ip-range <cidr>', 'Addresses to give out, within the subnet', text),
    list('--aux-address <name=address>', 'Address that is taken already', parseAssignment),
    value('--ipam-driver <driver>', 'Driver that gives out addresses', text),
    list('--ipam-opt <key=value>', 'Option of that driver', parseAssignment),
  ],
  async action(context, [name = ''], flags) {
    const IPAM = ipamOf(flags);
    const { networks } = await context.client();
    const { Id, Warning } = await networks.create({
      Name: name,
      Driver: flags.driver,
      Options: toRecord(flags.opt),
      Labels: toRecord(flags.label),
      IPAM,
      Internal: flags.internal === true,
      Attachable: flags.attachable === true,
      ...(flags.ipv4 === undefined ? {} : { EnableIPv4: flags.ipv4 }),
      ...(flags.ipv6 === undefined ? {} : { EnableIPv6: flags.ipv6 }),
    });
    if (Warning) context.note(`WARNING: ${Warning}`);
    context.print(Id);
  },
});

/** Gateways and ranges belong to the subnets in their order; one subnet takes all the taken addresses. */
function ipamOf({ subnet, gateway, ipRange, auxAddress, ipamDriver, ipamOpt }: NetworkCreateFlags): IpamConfig {
  if (gateway.length > subnet.length || ipRange.length > subnet.length || (auxAddress.length > 0 && subnet.length === 0)) {
    throw invalidArgument('--gateway, --ip-range and --aux-address need a --subnet each', { reason: usageReason });
  }
  const Config = subnet.map((Subnet, index): IpamSubnet => {
    const Gateway = gateway[index];
    const IPRange = ipRange[index];
    return {
      Subnet,
      ...(Gateway === undefined ? {} : { Gateway }),
      ...(IPRange === undefined ? {} : { IPRange }),
      ...(index === 0 && auxAddress.length > 0 ? { AuxiliaryAddresses: toRecord(auxAddress) } : {}),
    };
  });
  return { Driver: ipamDriver ?? 'default', Options: toRecord(ipamOpt), Config };
}
