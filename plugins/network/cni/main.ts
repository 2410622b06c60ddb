import { definePlugin, invalidArgument } from '@gantry/sdk';
import type { AttachRequest, EndpointPlan, Network, NetworkDriver } from '@gantry/sdk/network';
import { configOf } from './config.ts';
import { withPrefix } from './subnets.ts';

/** Networks of CNI plugins: it says which and with what; the engine runs them, when containers come and go. */
const cni: NetworkDriver = {
  features: [],
  namespace: 'own',
  dns: true,
  ipam: false,
  createNetwork: async ({ network }) => {
    const { list } = configOf(network);
    if (network.internal)
      throw invalidArgument(`network ${network.name} cannot be internal: what leaves a CNI network is up to its configuration`);
    return { network, links: [], masquerade: [], cni: { config: JSON.stringify(list) } };
  },
  removeNetwork: async () => {},
  attach: async (request) => endpointPlan(request),
  detach: async () => {},
};

function endpointPlan({ network, endpoint }: AttachRequest): EndpointPlan {
  const { list, takes } = configOf(network);
  const { ifname, mac, aliases, ports = [], wishedAddresses = [], options } = endpoint;
  const refused = [
    ...(mac !== undefined && !takes('mac') ? [`the MAC address ${mac} (capability mac)`] : []),
    ...(wishedAddresses.length > 0 && !takes('ips') ? [`the address ${wishedAddresses.join(' and ')} (capability ips)`] : []),
    ...(ports.length > 0 && !takes('portMappings') ? ['published ports (capability portMappings)'] : []),
  ];
  if (refused[0] !== undefined) throw invalidArgument(`no plugin of the CNI network ${network.name} takes ${refused[0]}`);
  const capabilities = {
    ...(mac === undefined ? {} : { mac: JSON.stringify(mac) }),
    ...(wishedAddresses.length === 0 ? {} : { ips: JSON.stringify(wishedAddresses.map((address) => withPrefix(address, list.plugins))) }),
    ...(takes('aliases') ? { aliases: JSON.stringify({ [list.name]: [endpoint.containerName, ...aliases] }) } : {}),
  };
  return {
    link: { kind: 'none', name: ifname ?? 'eth%d' },
    addresses: [],
    routes: [],
    publishable: false,
    cni: {
      config: JSON.stringify(list),
      args: { IgnoreUnknown: '1', ...argsOf(network, options['cni_args'] ?? '') },
      ...(Object.keys(capabilities).length === 0 ? {} : { capabilities }),
    },
  };
}

/** "IP=10.1.2.3;K=V" */
function argsOf({ name }: Network, text: string): Readonly<Record<string, string>> {
  const pairs = text.split(';').filter((pair) => pair !== '');
  const wrong = pairs.find((pair) => !/^[^=;\s]+=[^;]*$/.test(pair));
  if (wrong !== undefined) throw invalidArgument(`cni_args for network ${name}: ${JSON.stringify(wrong)} is no KEY=VALUE`);
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

export default definePlugin({ activate: async () => ({ drivers: { network: { cni } } }) });
