import { forbidden, messageOf } from '@gantry/sdk';
import { type Cni, type EndpointPlan, type Link, type Network, type NetworkPlan, parseAddress, parseCidr } from '@gantry/sdk/network';
import type { Grants } from '../drivers/types.ts';
import { parseCniList } from './cni-config.ts';
import { blaming, invalidPlan } from '@gantry/sdk/mounts';

/** Throws `internal` (or `forbidden` for what the plugin was not granted) naming the plugin and the part, and counts it; nothing has been executed then. */
export function checkNetworkPlan(plan: NetworkPlan, expected: { readonly network: Network; readonly grants: Grants }): void {
  blaming(expected.grants, () => checkNetwork(plan, expected));
}

/** As `checkNetworkPlan`, for what a container gets of the network that `network` is the plan of: it may build on that one's links. */
export function checkEndpointPlan(
  plan: EndpointPlan,
  expected: { readonly grants: Grants; readonly network: Pick<NetworkPlan, 'links'> },
): void {
  blaming(expected.grants, () => checkEndpoint(plan, expected));
}

const networkKinds: readonly Link['kind'][] = ['bridge', 'dummy', 'vlan', 'vxlan', 'existing', 'none'];
const endpointKinds: readonly Link['kind'][] = ['veth', 'macvlan', 'ipvlan', 'dummy', 'existing', 'none'];

function checkNetwork(plan: NetworkPlan, { network, grants }: { readonly network: Network; readonly grants: Grants }): void {
  const refuse = refusal(grants.plugin, 'createNetwork');
  if (plan.network.id !== network.id || plan.network.name !== network.name)
    refuse(`network ${network.name} came back with another id or name`);
  const own = madeBy(plan);
  for (const [index, link] of plan.links.entries()) {
    if (!networkKinds.includes(link.kind)) refuse(`links[${index}]: a ${link.kind} belongs to a container, not to a network`);
    checkLink(link, (problem) => refuse(`links[${index}]: ${problem}`));
    checkHostLinks(link, { grants, own });
  }
  for (const { fromCidr, exceptOutLink, toAddress } of plan.masquerade) {
    if (parseCidr(fromCidr) === undefined) refuse(`masquerade: ${fromCidr} is no prefix`);
    if (!isLinkName(exceptOutLink)) refuse(`masquerade: ${exceptOutLink} is no link name`);
    if (toAddress !== undefined && parseAddress(toAddress)?.family !== parseCidr(fromCidr)?.family)
      refuse(`masquerade: ${toAddress} is no address`);
  }
  if (plan.isolation !== undefined) {
    if (!isLinkName(plan.isolation.bridge)) refuse(`isolation: ${plan.isolation.bridge} is no link name`);
    checkOwn(plan.isolation.bridge, { grants, own });
    const { subnets, routedSubnets = [], openSubnets = [], trustedLinks = [] } = plan.isolation;
    for (const cidr of [...subnets, ...routedSubnets, ...openSubnets])
      if (parseCidr(cidr) === undefined) refuse(`isolation: ${cidr} is no prefix`);
    for (const cidr of [...routedSubnets, ...openSubnets])
      if (!subnets.includes(cidr)) refuse(`isolation: ${cidr} is not among its subnets`);
    for (const name of trustedLinks) if (!isLinkName(name)) refuse(`isolation: ${name} is no link name`);
  }
  for (const [key, value] of Object.entries(plan.sysctls ?? {}))
    checkSysctl(key, value, refuse, /^net\.ipv[46]\.(conf|neigh)\.IFNAME\.\w+$/);
  if (plan.sysctls !== undefined && plan.links.length === 0 && Object.keys(plan.sysctls).length > 0) refuse('sysctls without a link');
  if (plan.publishAddress !== undefined && parseAddress(plan.publishAddress) === undefined)
    refuse(`publishAddress ${plan.publishAddress} is no address`);
  if ((plan.rules?.length ?? 0) > 0) checkRules(plan.rules ?? [], grants, refuse);
  if (plan.cni !== undefined) checkCni(plan.cni, grants, refuse);
}

function checkEndpoint(
  plan: EndpointPlan,
  { grants, network }: { readonly grants: Grants; readonly network: Pick<NetworkPlan, 'links'> },
): void {
  const refuse = refusal(grants.plugin, 'attach');
  if (plan.cni !== undefined) {
    checkCni(plan.cni, grants, refuse);
    if (plan.link.kind !== 'none') refuse(`a ${plan.link.kind} link beside CNI plugins`);
    if (!isLinkName(plan.link.name.replace(/%d$/, '0'))) refuse(`"${plan.link.name}" is no link name`);
  }
  if (!endpointKinds.includes(plan.link.kind)) refuse(`link: a ${plan.link.kind} belongs to a network, not to a container`);
  if (plan.link.kind !== 'none') checkLink(plan.link, (problem) => refuse(`link: ${problem}`));
  checkHostLinks(plan.link, { grants, own: madeBy(network) });
  for (const address of plan.addresses) if (parseCidr(address) === undefined) refuse(`${address} is no address with prefix length`);
  for (const { to, via } of plan.routes) {
    if (parseCidr(to) === undefined) refuse(`route to ${to}, which is no prefix`);
    if (via !== undefined && parseAddress(via) === undefined) refuse(`route via ${via}, which is no address`);
  }
  for (const { ip, mac } of plan.neighbours ?? [])
    if (parseAddress(ip) === undefined || !isMac(mac)) refuse(`neighbour ${ip} ${mac} is none`);
  if (plan.mac !== undefined && !isMac(plan.mac)) refuse(`${plan.mac} is no MAC address`);
  for (const gateway of [plan.gateway, plan.gateway6]) {
    if (gateway !== undefined && parseAddress(gateway) === undefined) refuse(`gateway ${gateway} is no address`);
  }
  for (const [key, value] of Object.entries(plan.sysctls ?? {})) checkSysctl(key, value, refuse, /^net(\.[\w-]+)+$/);
}

function checkCni({ config, capabilities = {}, args = {} }: Cni, { plugin, cni: folders = [] }: Grants, refuse: Refuse): void {
  if (folders.length === 0) {
    throw forbidden(`plugin ${plugin} was not granted CNI and describes CNI plugins to run`, {
      hint: 'its manifest has to name their folders in privileges.cni',
    });
  }
  try {
    parseCniList(config);
    for (const json of Object.values(capabilities)) JSON.parse(json);
  } catch (error) {
    refuse(messageOf(error));
  }
  const wrong = Object.entries(args).find(([key, value]) => !/^[^=;\s]+$/.test(key) || /[;\0]/.test(value));
  if (wrong !== undefined) refuse(`CNI argument ${wrong.join('=')}`);
}

/** Six octets, the first with the multicast bit clear: an interface cannot have a group's address. */
export function isMac(text: string): boolean {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) && (Number.parseInt(text.slice(0, 2), 16) & 1) === 0;
}

/** dev_valid_name() of the kernel, without the quote that nft(8) would end a name at. */
export function isLinkName(name: string): boolean {
  return /^[^\s/:"%]{1,15}$/.test(name) && name !== '.' && name !== '..';
}

type Refuse = (problem: string) => never;

function refusal(plugin: string, method: string): Refuse {
  return (problem) => {
    throw invalidPlan(plugin, method, problem);
  };
}

function checkLink(link: Link, refuse: Refuse): void {
  if (!isLinkName(link.name.replace(/%d$/, '0'))) refuse(`"${link.name}" is no link name`);
  for (const name of [link.parent, link.master]) if (name !== undefined && !isLinkName(name)) refuse(`"${name}" is no link name`);
  if (link.mtu !== undefined && !(Number.isInteger(link.mtu) && link.mtu >= 68 && link.mtu <= 65_535)) refuse(`MTU ${link.mtu}`);
  for (const address of link.addresses ?? []) if (parseCidr(address) === undefined) refuse(`${address} is no address with prefix length`);
  const needsParent = link.kind === 'macvlan' || link.kind === 'ipvlan' || link.kind === 'vlan';
  if (needsParent && link.parent === undefined) refuse(`a ${link.kind} needs a parent`);
  const most = link.kind === 'vlan' ? 4_094 : link.kind === 'vxlan' ? 2 ** 24 - 1 : undefined;
  if (link.kind === 'vxlan') checkVxlan(link, refuse);
  if (most !== undefined && !isNumberUpTo(link.attrs?.['id'], most)) refuse(`a ${link.kind} needs an id up to ${most}`);
}

function checkVxlan({ attrs = {} }: Link, refuse: Refuse): void {
  for (const key of ['local', 'group'])
    if (attrs[key] !== undefined && parseAddress(attrs[key]) === undefined) refuse(`a vxlan's ${key} ${attrs[key]} is no address`);
  for (const remote of attrs['remotes']?.split(',') ?? [])
    if (parseAddress(remote) === undefined) refuse(`a vxlan's remote "${remote}" is no address`);
  if (attrs['port'] !== undefined && !(isNumberUpTo(attrs['port'], 65_535) && Number(attrs['port']) > 0))
    refuse(`a vxlan's port ${attrs['port']}`);
}

/** Whether it is, or may be, one that the engine did not make. */
function isOfHost({ kind, existing }: Link): boolean {
  return kind === 'existing' || existing === true;
}

/** The links that the engine makes for a network, by name. */
function madeBy({ links }: Pick<NetworkPlan, 'links'>): ReadonlySet<string> {
  return new Set(links.filter((link) => !isOfHost(link)).map(({ name }) => name));
}

interface Reach {
  readonly grants: Grants;
  readonly own: ReadonlySet<string>;
}

/** Moving the machine's own link into a container cuts the machine off; one that lies on it, or joins it, reaches everybody there. */
function checkHostLinks(link: Link, { grants, own }: Reach): void {
  if (isOfHost(link)) checkOwn(link.kind === 'existing' ? (link.parent ?? link.name) : link.name, { grants, own: new Set() });
  else for (const name of [link.parent, link.master]) if (name !== undefined) checkOwn(name, { grants, own });
}

function checkOwn(name: string, { grants, own }: Reach): void {
  if (grants.hostLinks === true || own.has(name)) return;
  throw forbidden(`plugin ${grants.plugin} was not granted the host's network and describes its link ${name}`, {
    hint: 'a network has the links that its own plan makes; for others the manifest asks with "privileges": { "network": "host" }',
  });
}

function isNumberUpTo(text: string | undefined, most: number): boolean {
  return text !== undefined && /^\d{1,8}$/.test(text) && Number(text) <= most;
}

function checkSysctl(key: string, value: string, refuse: Refuse, allowed: RegExp): void {
  if (!allowed.test(key)) refuse(`sysctl ${key} is out of bounds`);
  if (!/^[\w .:,/-]{1,256}$/.test(value)) refuse(`value of sysctl ${key}`);
}

function checkRules(rules: readonly string[], { plugin, nftables }: Grants, refuse: Refuse): void {
  if (!nftables) throw forbidden(`plugin ${plugin} was not granted nftables and describes firewall rules`);
  let depth = 0;
  for (const character of rules.join('\n')) {
    depth += character === '{' ? 1 : character === '}' ? -1 : 0;
    if (depth < 0) refuse('rules end the table that they are in');
  }
  if (depth !== 0 || rules.some((rule) => /^\s*(include|define)\b/m.test(rule))) refuse('rules reach out of the table that they are in');
}
