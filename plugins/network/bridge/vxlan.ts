import { invalidArgument } from '@gantry/sdk';
import { type EndpointPlan, type Endpoint, type Link, type Network, type NetworkPlan, parseAddress } from '@gantry/sdk/network';
import { endpointPlan } from './endpoint-plan.ts';
import { networkPlan } from './network-plan.ts';

/** 1,500 bytes of Ethernet less VXLAN, UDP, IPv4 and the inner Ethernet header: RFC 7348. */
const mtu = { 'com.docker.network.driver.mtu': '1450' };

/**
 * A bridge that several machines share, by a VXLAN between them: `vxlan_id`, and either `remotes` (the other machines' addresses) or a
 * multicast `group` on the link `parent`. Not encrypted. Each machine gives its containers addresses of its own range, and its bridge a
 * gateway address of its own.
 */
export function vxlanNetworkPlan(network: Network): NetworkPlan {
  const { bridge, vxlan } = split(network);
  const plan = networkPlan(bridge);
  return { ...plan, network, links: [...plan.links, linkOf(network, plan, vxlan)] };
}

export function vxlanEndpointPlan(network: Network, endpoint: Endpoint): EndpointPlan {
  return endpointPlan(split(network).bridge, endpoint);
}

type Options = Readonly<Record<string, string>>;

const own = ['vxlan_id', 'vxlan_port', 'parent', 'local', 'remotes', 'group'] as const;
const isOwn = (key: string): boolean => own.some((name) => name === key);

function split(network: Network): { readonly bridge: Network; readonly vxlan: Options } {
  const of = (mine: boolean) => Object.fromEntries(Object.entries(network.options).filter(([key]) => isOwn(key) === mine));
  return { bridge: { ...network, options: { ...mtu, ...of(false) } }, vxlan: of(true) };
}

function linkOf({ id, name }: Network, { links: [bridge] }: NetworkPlan, options: Options): Link {
  const { parent, local, group } = options;
  const remotes = (options['remotes'] ?? '').split(',').filter(Boolean);
  if (remotes.length > 0 === (group !== undefined)) throw invalidArgument(`vxlan network ${name} needs either remotes or a group`);
  if (group !== undefined && parent === undefined) throw invalidArgument(`vxlan network ${name} has a group, which needs a parent, too`);
  for (const address of [...remotes, ...[local, group].filter((one) => one !== undefined)])
    if (parseAddress(address) === undefined) throw invalidArgument(`vxlan network ${name}: "${address}" is no address`);
  return {
    kind: 'vxlan',
    name: `vx-${id.slice(0, 12)}`,
    ...(bridge === undefined ? {} : { master: bridge.name }),
    ...(bridge?.mtu === undefined ? {} : { mtu: bridge.mtu }),
    ...(parent === undefined ? {} : { parent }),
    attrs: {
      id: number(options, 'vxlan_id', { most: 2 ** 24 - 1 }),
      port: number(options, 'vxlan_port', { most: 65_535, otherwise: '4789' }),
      ...(local === undefined ? {} : { local }),
      ...(group === undefined ? { remotes: remotes.join(',') } : { group }),
    },
  };
}

function number(options: Options, key: string, { most, otherwise }: { readonly most: number; readonly otherwise?: string }): string {
  const text = options[key] ?? otherwise;
  if (text === undefined) throw invalidArgument(`option ${key} is missing: a number from 1 to ${most}`);
  if (!/^[1-9]\d{0,7}$/.test(text) || Number(text) > most)
    throw invalidArgument(`option ${key} is ${text}; it is a number from 1 to ${most}`);
  return text;
}
