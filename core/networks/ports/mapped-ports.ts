import { parseCidr } from '@gantry/sdk/network';
import type { PortMapping } from '../../execute/index.ts';
import type { NetworkBooks } from '../books.ts';
import type { EndpointRecord, PublishedPort } from '../documents.ts';
import type { MappedPort } from './mapper/index.ts';
import { familyOf, isAny, type PublishTools } from './take-ports.ts';
import type { Tools } from '../tools.ts';

/** What the kernel has of an endpoint's ports: each host address leads to the container's address of the same family. */
export function mappingsOf(record: EndpointRecord, books: NetworkBooks): readonly PortMapping[] {
  const { addresses, ports, cni } = record.document;
  if (cni !== undefined) return [];
  const isDirect = (books.byId(record.networkId)?.document.plan.isolation?.trustedLinks ?? []).length > 0;
  const own = new Map(addresses.map((address) => [familyOf(address), address.split('/')[0] ?? '']));
  return ports.flatMap(({ protocol, hostIp, hostPort, containerPort }) => {
    const containerIp = own.get(familyOf(hostIp));
    if (containerIp === undefined) return [];
    const mapping = { protocol, hostIp: isAny(hostIp) ? '' : hostIp, hostPort, containerIp, containerPort };
    return [isDirect ? { ...mapping, isDirect } : mapping];
  });
}

/** Those of `mappingsOf` that the kernel maps, which with a userland proxy are only such as are opened at the container's own address. */
export function kernelPorts({ defaults }: Tools, mappings: readonly PortMapping[]): readonly PortMapping[] {
  return defaults.userlandProxy === true ? mappings.filter(({ hostPort }) => hostPort === 0) : mappings;
}

/**
 * Serves in this process what the kernel does not map of an endpoint's ports: all of them with a userland proxy; else [::1], from where no packet reaches a container, and IPv6
 * addresses of the host's for containers that have none.
 */
export async function servePorts(tools: PublishTools, { containerId, document }: EndpointRecord): Promise<void> {
  if (document.cni !== undefined) return;
  const own = new Map(document.addresses.map((address) => [familyOf(address), address.split('/')[0] ?? '']));
  await tools.mapper.set(
    containerId,
    document.ports.flatMap((port) => {
      const host = own.get(familyOf(port.hostIp)) ?? own.get(4) ?? own.get(6);
      const isServed = tools.defaults.userlandProxy === true || (familyOf(port.hostIp) === 6 && (!own.has(6) || isLoopback(port.hostIp)));
      const socket = isServed ? tools.ports.socketOf(containerId, port) : undefined;
      return socket === undefined || host === undefined ? [] : [served(port, { socket, host })];
    }),
  );
}

function served({ protocol, containerPort, hostIp, hostPort }: PublishedPort, place: Pick<MappedPort, 'socket' | 'host'>): MappedPort {
  const name = `${hostIp.includes(':') ? `[${hostIp}]` : hostIp}:${hostPort}`;
  return { ...place, name, family: familyOf(hostIp), protocol: protocol === 'udp' ? 'udp' : 'tcp', port: containerPort };
}

/** [::1], or every address, of which it is one. */
function isLoopback(address: string): boolean {
  return isAny(address) || parseCidr(`${address}/128`)?.value === 1n;
}
