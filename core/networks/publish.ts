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
  const ports = wishes.flatMap((wish) => takePorts(tools, carrier, { owner: container.id, wish }));
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
  if (ports.length > 0 && ports.every((port) => port.hostPort !== 0) && !isRouted(carrier, tools.books)) {
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
  return ports.flatMap(({ protocol, hostIp, hostPort, containerPort }) => {
    const family = parseAddress(hostIp)?.family;
    const containerIp = addresses.map((address) => address.split('/')[0] ?? '').find((address) => parseAddress(address)?.family === family);
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

/** One port on each of its host addresses. A family that is routed takes none of the host's: the container's own port is opened. */
function takePorts(
  tools: PublishTools,
  carrier: EndpointRecord,
  { owner, wish }: { readonly owner: string; readonly wish: PortWish },
): readonly PublishedPort[] {
  const standard = tools.books.byId(carrier.networkId)?.document.plan.publishAddress ?? tools.defaults.publishAddress ?? '';
  const hostIps = hostIpsOf(wish, standard);
  const routed = hostIps.filter((hostIp) => isRouted(carrier, tools.books, parseAddress(hostIp)?.family));
  const mapped = hostIps.filter((hostIp) => !routed.includes(hostIp));
  const { protocol, containerPort } = wish;
  return [
    ...(mapped.length === 0 ? [] : tools.ports.take(owner, wish, mapped)),
    ...routed.map((hostIp) => ({ protocol, containerPort, hostIp: hostIp.includes(':') ? '::' : '0.0.0.0', hostPort: 0 })),
  ];
}

/** Whether the endpoint's address (of this family, or any of them) is in a subnet that is routed. */
function isRouted({ networkId, document }: EndpointRecord, books: NetworkBooks, family?: 4 | 6): boolean {
  const subnets = (books.byId(networkId)?.document.plan.isolation?.routedSubnets ?? []).flatMap((cidr) => parseCidr(cidr) ?? []);
  const addresses = document.addresses.flatMap((address) => parseCidr(address) ?? []);
  return addresses.some((address) => (family ?? address.family) === address.family && subnets.some((subnet) => contains(subnet, address)));
}

/** No address wished means every one, of both families: clients look for both in inspect. */
function hostIpsOf({ hostIp }: PortWish, standard: string): readonly string[] {
  if (hostIp !== '') return [hostIp];
  if (standard !== '' && !isAny(standard)) return [standard];
  return existsSync('/proc/net/if_inet6') ? ['0.0.0.0', '::'] : ['0.0.0.0'];
}

function isAny(address: string): boolean {
  const parsed = parseAddress(address);
  return parsed !== undefined && parsed.value === 0n;
}
