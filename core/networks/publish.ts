import { existsSync } from 'node:fs';
import { codeOf, messageOf } from '@gantry/sdk';
import { contains, parseAddress, parseCidr } from '@gantry/sdk/network';
import type { PortMapping } from '../execute/index.ts';
import { failpoint } from '../support/index.ts';
import type { NetworkBooks } from './books.ts';
import type { EndpointRecord, PublishedPort } from './documents.ts';
import { gatewayOrder } from './gateway.ts';
import type { PortBooks } from './port-books.ts';
import { type PortWish, wishedPorts } from './port-wishes.ts';
import type { Tools } from './tools.ts';
import type { NetworkedContainer } from './types.ts';

type PublishTools = Tools & { readonly ports: PortBooks };

/** Publishes a container's ports on its way out. Ports that are taken fail before anything is changed in the kernel. */
export function publishPorts(tools: PublishTools, container: NetworkedContainer, records: readonly EndpointRecord[]): void {
  const wishes = wishedPorts(container.config, container.hostConfig);
  const carrier = carrierOf(records, tools.books);
  if (wishes.length === 0 || carrier === undefined) return;
  failpoint('start.port.listen');
  const standard = tools.books.byId(carrier.networkId)?.document.plan.publishAddress ?? tools.defaults.publishAddress ?? '';
  const routed = routedFamilies(carrier, tools.books);
  const own = new Set(carrier.document.addresses.map(familyOf));
  // Of a routed network nothing is shown that leads nowhere; elsewhere clients look for both families.
  const hostIpsFor = (wish: PortWish) => hostIpsOf(wish, standard).filter((hostIp) => routed.size === 0 || own.has(familyOf(hostIp)));
  const ports = wishes.flatMap((wish) => takePorts(tools.ports, wish, { owner: container.id, hostIps: hostIpsFor(wish), routed }));
  put(tools, { ...carrier, document: { ...carrier.document, ports } });
}

/**
 * After a running container came to or left a network: its ports follow its way out, on the same host ports. `held` are those of a network
 * that it has left. Where nothing is left to carry them they are given back.
 */
export function movePorts(tools: PublishTools, container: NetworkedContainer, held: readonly PublishedPort[] = []): void {
  const records = tools.books.endpointsOf(container.id).filter(({ document }) => document.ifname !== '');
  const before = records.find(({ document }) => document.ports.length > 0);
  const carrier = carrierOf(records, tools.books);
  const ports = before?.document.ports ?? held;
  if (carrier === before && held.length === 0) return;
  if (carrier === undefined) {
    unpublishPorts(tools, container.id);
    tools.ports.release(container.id);
  }
  if (before !== undefined && before !== carrier) tools.books.putEndpoints([{ ...before, document: { ...before.document, ports: [] } }]);
  if (carrier === undefined || carrier === before) return;
  if (ports.length > 0 && ports.every((port) => port.hostPort !== 0) && routedFamilies(carrier, tools.books).size === 0) {
    put(tools, { ...carrier, document: { ...carrier.document, ports } });
    return;
  }
  tools.ports.release(container.id);
  publishPorts(tools, container, [carrier]);
}

export function unpublishPorts(tools: Tools, containerId: string): void {
  try {
    const mappings = tools.books.endpointsOf(containerId).flatMap((record) => mappingsOf(record, tools.books));
    tools.executor.publish(containerId, []);
    tools.executor.forgetDatagrams(mappings);
  } catch (error) {
    tools.log.error(
      { container: containerId, code: codeOf(error), reason: messageOf(error) },
      'could not take published ports out of the firewall',
    );
  }
}

/** What the kernel has of an endpoint's ports: each host address leads to the container's address of the same family. */
export function mappingsOf(record: EndpointRecord, books: NetworkBooks): readonly PortMapping[] {
  const { addresses, ports } = record.document;
  const isDirect = (books.byId(record.networkId)?.document.plan.isolation?.trustedLinks ?? []).length > 0;
  const own = new Map(addresses.map((address) => [familyOf(address), address.split('/')[0] ?? '']));
  return ports.flatMap(({ protocol, hostIp, hostPort, containerPort }) => {
    const containerIp = own.get(familyOf(hostIp));
    if (containerIp === undefined) return [];
    const mapping = { protocol, hostIp: isAny(hostIp) ? '' : hostIp, hostPort, containerIp, containerPort };
    return [isDirect ? { ...mapping, isDirect } : mapping];
  });
}

function carrierOf(records: readonly EndpointRecord[], books: NetworkBooks): EndpointRecord | undefined {
  return gatewayOrder(records, books).find(({ document }) => document.plan?.publishable === true);
}

/** Into the books and the kernel; datagrams that came while nobody had the port must not go on leading nowhere. */
function put(tools: PublishTools, carrier: EndpointRecord): void {
  tools.books.putEndpoints([carrier]);
  failpoint('start.fw.rules');
  const mappings = mappingsOf(carrier, tools.books);
  tools.executor.publish(carrier.containerId, mappings);
  tools.executor.forgetDatagrams(mappings);
}

interface Taking {
  readonly owner: string;
  readonly hostIps: readonly string[];
  readonly routed: ReadonlySet<4 | 6>;
}

/** One port on each of its host addresses. A family that is routed takes none of the host's: the container's own port is opened. */
function takePorts(books: PortBooks, wish: PortWish, { owner, hostIps, routed }: Taking): readonly PublishedPort[] {
  const direct = hostIps.filter((hostIp) => routed.has(familyOf(hostIp)));
  const mapped = hostIps.filter((hostIp) => !direct.includes(hostIp));
  const { protocol, containerPort } = wish;
  return [
    ...(mapped.length === 0 ? [] : books.take(owner, wish, mapped)),
    ...direct.map((hostIp) => ({ protocol, containerPort, hostIp: familyOf(hostIp) === 6 ? '::' : '0.0.0.0', hostPort: 0 })),
  ];
}

/** Of the endpoint's addresses those families that are in a subnet that is routed. */
function routedFamilies({ networkId, document }: EndpointRecord, books: NetworkBooks): ReadonlySet<4 | 6> {
  const subnets = (books.byId(networkId)?.document.plan.isolation?.routedSubnets ?? []).flatMap((cidr) => parseCidr(cidr) ?? []);
  if (subnets.length === 0) return new Set();
  const addresses = document.addresses.flatMap((address) => parseCidr(address) ?? []);
  return new Set(addresses.filter((address) => subnets.some((subnet) => contains(subnet, address))).map(({ family }) => family));
}

/** Of an address that was checked: parsing it for each of a thousand ports would take longer than publishing them. */
function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

/** No address wished means every one, of both families: clients look for both in inspect. */
function hostIpsOf({ hostIp }: PortWish, standard: string): readonly string[] {
  if (hostIp !== '') return [hostIp];
  if (standard !== '' && !isAny(standard)) return [standard];
  return existsSync('/proc/net/if_inet6') ? ['0.0.0.0', '::'] : ['0.0.0.0'];
}

function isAny(address: string): boolean {
  if (address === '0.0.0.0' || address === '::') return true;
  const parsed = parseAddress(address);
  return parsed !== undefined && parsed.value === 0n;
}
