import { existsSync } from 'node:fs';
import { contains, parseAddress, parseCidr } from '@gantry/sdk/network';
import type { NetworkBooks } from '../books.ts';
import type { Mapper } from './mapper/index.ts';
import type { EndpointRecord, PublishedPort } from '../documents.ts';
import type { PortBooks } from './port-books.ts';
import type { PortWish } from './port-wishes.ts';
import type { Tools } from '../tools.ts';

export type PublishTools = Tools & { readonly ports: PortBooks; readonly mapper: Mapper };

export interface Taker {
  readonly owner: string;
  readonly carrier: EndpointRecord;
}

/** Host ports for all of these wishes, or none; in the books only. */
export function takePorts(tools: PublishTools, { owner, carrier }: Taker, wishes: readonly PortWish[]): readonly PublishedPort[] {
  const standard = tools.books.byId(carrier.networkId)?.document.plan.publishAddress ?? tools.defaults.publishAddress ?? '';
  const routed = routedFamilies(carrier, tools.books);
  const own = new Set(carrier.document.addresses.map(familyOf));
  const everywhere = standardIps(standard);
  const done: PublishedPort[] = [];
  try {
    for (const wish of wishes) {
      // Of a routed network nothing is shown that leads nowhere; elsewhere clients look for both families.
      const wished = wish.hostIp === '' ? everywhere : [wish.hostIp];
      const hostIps = wished.filter((hostIp) => routed.size === 0 || own.has(familyOf(hostIp)));
      done.push(...takeOne(tools.ports, wish, { owner, hostIps, routed }));
    }
    return done;
  } catch (error) {
    tools.ports.giveBack(owner, done);
    throw error;
  }
}

interface Places {
  readonly owner: string;
  readonly hostIps: readonly string[];
  readonly routed: ReadonlySet<4 | 6>;
}

/** One port on each of its host addresses. A family that is routed takes none of the host's: the container's own port is opened. */
function takeOne(books: PortBooks, wish: PortWish, { owner, hostIps, routed }: Places): readonly PublishedPort[] {
  const direct = hostIps.filter((hostIp) => routed.has(familyOf(hostIp)));
  const mapped = hostIps.filter((hostIp) => !direct.includes(hostIp));
  const { protocol, containerPort } = wish;
  return [
    ...(mapped.length === 0 ? [] : books.take(owner, wish, mapped)),
    ...direct.map((hostIp) => ({ protocol, containerPort, hostIp: familyOf(hostIp) === 6 ? '::' : '0.0.0.0', hostPort: 0 })),
  ];
}

/** Of the endpoint's addresses those families that are in a subnet that is routed. */
export function routedFamilies({ networkId, document }: EndpointRecord, books: NetworkBooks): ReadonlySet<4 | 6> {
  const subnets = (books.byId(networkId)?.document.plan.isolation?.routedSubnets ?? []).flatMap((cidr) => parseCidr(cidr) ?? []);
  if (subnets.length === 0) return new Set();
  const addresses = document.addresses.flatMap((address) => parseCidr(address) ?? []);
  return new Set(addresses.filter((address) => subnets.some((subnet) => contains(subnet, address))).map(({ family }) => family));
}

/** Of an address that was checked: parsing it for each of a thousand ports would take longer than publishing them. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

/** No address wished means every one, of both families: clients look for both in inspect. */
function standardIps(standard: string): readonly string[] {
  if (standard !== '' && !isAny(standard)) return [standard];
  return existsSync('/proc/net/if_inet6') ? ['0.0.0.0', '::'] : ['0.0.0.0'];
}

export function isAny(address: string): boolean {
  if (address === '0.0.0.0' || address === '::') return true;
  const parsed = parseAddress(address);
  return parsed !== undefined && parsed.value === 0n;
}
