import { closeSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fromErrno, GantryError, internal } from '@gantry/sdk';
import { type HostLinks, innerKind, joinBridge, linkRefused, setSysctls, sharedProperties } from '@gantry/sdk/links';
import {
  addressRequest,
  linkExists,
  linkIndex,
  linkSetRequest,
  type NetlinkRequest,
  neighbourRequest,
  openNetns,
  type Route as LinuxRoute,
  routeRequest,
  Rtnetlink,
  withNetns,
} from '@gantry/sdk/linux';
import { type EndpointPlan, parseCidr, type Route } from '@gantry/sdk/network';
import { failpoint } from '../support/index.ts';
import { moveIn, moveOut } from './network-move.ts';

/** One container's use of one network in the kernel. `hostLink` is recorded before `make`, so that undo needs nothing else. */
export interface EndpointWork {
  readonly endpointId: string;
  readonly netnsPath: string;
  readonly plan: EndpointPlan;
  /** Without it the plan's default routes are left out: another network is this container's way out. */
  readonly isGateway: boolean;
}
export interface MadeEndpoint {
  readonly ifname: string;
  readonly mac: string;
}

/** The host's end of an endpoint's veth: at most 15 bytes, never the same twice. */
export function hostLinkOf(endpointId: string): string {
  return `veth${endpointId.slice(0, 10)}`;
}

/** Makes the link directly in the namespace, then its addresses and routes. A failure leaves no link. Synchronous: some 3 ms. */
export function makeEndpoint(host: HostLinks, work: EndpointWork): MadeEndpoint {
  const netns = openNetns(work.netnsPath);
  try {
    // One stay in the namespace for all: each costs a third of opening a socket there.
    const { socket, ifname, ipv6 } = withNetns(netns, () => ({ ...prepare(work.plan), socket: Rtnetlink.open() }));
    using inside = socket;
    const placed = { ...work, netns, ifname };
    try {
      makeAs(placed, ipv6, () => makeLink(host, placed));
    } catch (error) {
      throw linkRefused(work.plan.link, error);
    }
    try {
      return configure(inside, placed);
    } catch (error) {
      if (work.plan.link.kind === 'veth') host.kernel.linkDelete(hostLinkOf(work.endpointId));
      else if (work.plan.link.kind === 'existing') moveOut(inside, placed.ifname, work.plan.link);
      else if (work.plan.link.kind !== 'none') inside.linkDelete(placed.ifname);
      throw error;
    }
  } catch (error) {
    throw GantryError.is(error) ? error : fromErrno(error, 'attach to network');
  } finally {
    closeSync(netns);
  }
}

/** Cuts an endpoint off whose namespace is about to go: the kernel removes the link with it, later and without anybody waiting (a link delete waits 10 to 30 ms). */
export function cutEndpoint(host: HostLinks, endpointId: string): void {
  const name = hostLinkOf(endpointId);
  const [error] = host.kernel.tryAll([linkSetRequest(name, { master: 0, up: false })]);
  if (error !== undefined && error.code !== 'ENODEV') throw fromErrno(error, `detach ${name}`);
}

/**
 * Removes a link inside a namespace: those that have no host end (macvlan and the like). One that a plugin made goes back to the host. The
 * kernel takes 10 to 50 ms, during which this thread goes on. Nothing happens when the namespace is gone.
 */
export async function removeInside(netnsPath: string, ifname: string, link: EndpointPlan['link'] | undefined): Promise<void> {
  if (!existsSync(netnsPath)) return;
  const netns = openNetns(netnsPath);
  try {
    if (link?.kind === 'existing') {
      using inside = Rtnetlink.open(netns);
      moveOut(inside, ifname, link);
    } else await Rtnetlink.linkDeleteAside(ifname, netns);
  } finally {
    closeSync(netns);
  }
}

/** Without `via`: everybody is reached by the link itself. */
export interface DefaultRoute {
  readonly ifname: string;
  readonly family: 4 | 6;
  readonly via?: string | undefined;
}

/** Makes `routes` the namespace's default routes in the place of those it has; one that is there already is not touched. */
export function setDefaultRoutes(netnsPath: string, routes: readonly DefaultRoute[]): void {
  const netns = openNetns(netnsPath);
  try {
    using inside = Rtnetlink.open(netns);
    const there = inside.routeList().filter(({ destination, type }) => destination === 'default' && type === 'unicast');
    const wanted = routes.flatMap(({ ifname, via: gateway, family }) => {
      const link = inside.linkGet(ifname)?.index;
      return link === undefined ? [] : [{ destination: 'default', gateway, link, family }];
    });
    for (const route of without(there, wanted)) inside.routeDelete(route);
    for (const route of without(wanted, there)) inside.routeAdd(route, { replace: true });
  } finally {
    closeSync(netns);
  }
}

type WayOut = Pick<LinuxRoute, 'family' | 'gateway' | 'link'>;

function without<Of extends WayOut>(routes: readonly Of[], others: readonly WayOut[]): readonly Of[] {
  const nameOf = ({ family, gateway, link }: WayOut): string => `${family} ${gateway} ${link}`;
  const known = new Set(others.map(nameOf));
  return routes.filter((route) => !known.has(nameOf(route)));
}

interface Placed extends EndpointWork {
  readonly netns: number;
  readonly ifname: string;
}

/** What the kernel gives a new link in a namespace: "1" for no IPv6. */
const ipv6Default = '/proc/sys/net/ipv6/conf/default/disable_ipv6';

/** Inside the namespace: the name that a plan's link gets, and what its IPv6 default has to be again after it was made without. */
function prepare({ link, sysctls }: EndpointPlan): { readonly ifname: string; readonly ipv6: string | undefined } {
  const ifname = chooseName(link.name);
  const isWithout = sysctls?.['net.ipv6.conf.IFNAME.disable_ipv6'] === '1' && existsSync(ipv6Default);
  const before = isWithout ? readFileSync(ipv6Default, 'utf8').trim() : '1';
  if (before === '1') return { ifname, ipv6: undefined };
  writeFileSync(ipv6Default, '1');
  return { ifname, ipv6: before };
}

/**
 * Makes a link that is to have no IPv6 while that is the default of its namespace, which takes no lock, as changing it later does: a link that
 * is being removed somewhere on the machine would hold that up. Then puts the default back.
 */
function makeAs({ netns }: Placed, ipv6: string | undefined, make: () => void): void {
  try {
    make();
  } finally {
    if (ipv6 !== undefined) withNetns(netns, () => writeFileSync(ipv6Default, ipv6));
  }
}

function makeLink(host: HostLinks, { endpointId, plan, netns, ifname }: Placed): void {
  failpoint('start.veth');
  const { link } = plan;
  switch (link.kind) {
    case 'veth':
      failpoint('start.bridge.attach');
      joinBridge(host, { name: hostLinkOf(endpointId), owner: endpointId, peer: { name: ifname, netnsFd: netns } }, plan);
      return;
    case 'macvlan':
    case 'ipvlan':
    case 'dummy': {
      const kind = innerKind(link, (name) => host.indexOf(name));
      host.kernel.linkAddInto(netns, ifname, kind, sharedProperties(plan));
      return;
    }
    case 'existing':
      moveIn(host, netns, ifname, plan);
      return;
    case 'none':
      return;
    case 'bridge':
    case 'vxlan':
    case 'vlan':
      throw internal(`a ${link.kind} belongs to a network, not to a container`);
    default:
      link.kind satisfies never;
  }
}

function configure(inside: Rtnetlink, { plan, netns, ifname, isGateway }: Placed): MadeEndpoint {
  const up = linkSetRequest(1, { up: true });
  if (plan.link.kind === 'none') {
    inside.all([up]);
    return { ifname: '', mac: '' };
  }
  const index = withNetns(netns, () => {
    setSysctls(plan.sysctls ?? {}, ifname);
    return linkIndex(ifname);
  });
  if (index === undefined) throw internal(`link ${ifname} is not in the container's namespace`);
  const requests: NetlinkRequest[] = [
    up,
    ...plan.addresses.map((address) => addressRequest('add', { link: index, address, isWithoutDad: true })),
    linkSetRequest(index, { up: true }),
    ...plan.routes.filter((route) => isGateway || !isDefault(route)).map((route) => asRequest(route, index)),
    ...(plan.neighbours ?? []).map(({ ip, mac }) => neighbourRequest('add', { link: index, ip, address: mac })),
  ];
  const failed = inside.tryAll(requests).find((error) => error !== undefined && error.code !== 'EEXIST');
  if (failed !== undefined) throw failed;
  // A veth has the one that it was made with; what an ipvlan has is its parent's.
  const mac = plan.link.kind === 'veth' ? plan.mac : undefined;
  return { ifname, mac: mac ?? inside.linkGet(index)?.address ?? '' };
}

function asRequest({ to, via, metric }: Route, link: number): NetlinkRequest {
  const route = { destination: to, link, ...(metric === undefined ? {} : { metric }) };
  return routeRequest('add', via === undefined ? route : { ...route, gateway: via });
}

export function isDefault({ to }: Route): boolean {
  return parseCidr(to)?.length === 0;
}

/** Brings loopback up in a namespace and answers the name that a link is to have there. */
export function freeName(netnsPath: string, name: string): string {
  const netns = openNetns(netnsPath);
  try {
    using inside = Rtnetlink.open(netns);
    inside.all([linkSetRequest(1, { up: true })]);
    return withNetns(netns, () => chooseName(name));
  } finally {
    closeSync(netns);
  }
}

/** In this thread's namespace: the lowest number that no interface has, for a name that ends in %d. */
function chooseName(name: string): string {
  if (!name.endsWith('%d')) return name;
  for (let number = 0; ; number += 1) {
    const candidate = name.replace(/%d$/, String(number));
    if (!linkExists(candidate)) return candidate;
  }
}
