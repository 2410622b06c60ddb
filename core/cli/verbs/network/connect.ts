import type { EndpointConfig } from '@gantry/sdk/engine';
import { flag, list, text, value } from '../../option.ts';
import { parseIp, parseMac } from '../../parse/address.ts';
import { parseAssignment, toRecord } from '../../parse/key-value.ts';
import { verb } from '../../verb.ts';

interface ConnectFlags {
  readonly alias: readonly string[];
  readonly ip?: string;
  readonly ip6?: string;
  readonly linkLocalIp: readonly string[];
  readonly link: readonly string[];
  readonly macAddress?: string;
  readonly driverOpt: readonly (readonly [string, string])[];
}

export const connectNetwork = verb<ConnectFlags>({
  arguments: '<network> <container>',
  options: [
    list('--alias <name>', 'Another name on the network', text),
    value('--ip <address>', 'IPv4 address', parseIp),
    value('--ip6 <address>', 'IPv6 address', parseIp),
    list('--link-local-ip <address>', 'Link-local address', parseIp),
    list('--link <container[:alias]>', 'Know another container by name', text),
    value('--mac-address <address>', 'MAC address', parseMac),
    list('--driver-opt <key=value>', 'Option of the driver', parseAssignment),
  ],
  async action(context, [network = '', container = ''], flags) {
    const { networks } = await context.client();
    await networks.connect(network, container, toEndpoint(flags));
  },
});

export const disconnectNetwork = verb<{ readonly force?: boolean }>({
  arguments: '<network> <container>',
  options: [flag('-f, --force', 'Also when the container is gone')],
  async action(context, [network = '', container = ''], { force = false }) {
    const { networks } = await context.client();
    await networks.disconnect(network, container, { force });
  },
});

function toEndpoint({ alias, ip, ip6, linkLocalIp, link, macAddress, driverOpt }: ConnectFlags): EndpointConfig {
  const addresses = {
    ...(ip === undefined ? {} : { IPv4Address: ip }),
    ...(ip6 === undefined ? {} : { IPv6Address: ip6 }),
    ...(linkLocalIp.length === 0 ? {} : { LinkLocalIPs: linkLocalIp }),
  };
  return {
    ...(Object.keys(addresses).length === 0 ? {} : { IPAMConfig: addresses }),
    ...(alias.length === 0 ? {} : { Aliases: alias }),
    ...(link.length === 0 ? {} : { Links: link }),
    ...(macAddress === undefined ? {} : { MacAddress: macAddress }),
    ...(driverOpt.length === 0 ? {} : { DriverOpts: toRecord(driverOpt) }),
  };
}
