import { existsSync } from 'node:fs';
import { parseAddress } from '@gantry/sdk/network';
import type { PortMapping } from '../execute/index.ts';
import { failpoint } from '../support/index.ts';
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
  const carrier = gatewayOrder(records, tools.books).find(({ document }) => document.plan?.publishable === true);
  if (wishes.length === 0 || carrier === undefined) return;
  failpoint('start.port.listen');
  const standard = tools.books.byId(carrier.networkId)?.document.plan.publishAddress ?? tools.defaults.publishAddress ?? '';
  const ports = wishes.flatMap((wish) => tools.ports.take(container.id, wish, hostIpsOf(wish, standard)));
  tools.books.putEndpoints([{ ...carrier, document: { ...carrier.document, ports } }]);
  failpoint('start.fw.rules');
  tools.executor.publish(container.id, mappingsOf(ports, carrier.document.addresses));
}

export function unpublishPorts(tools: Tools, containerId: string): void {
  try {
    tools.executor.publish(containerId, []);
  } catch (error) {
    tools.log.error({ container: containerId, error }, 'could not take published ports out of the firewall');
  }
}

/** What the kernel maps: each host address to the container's address of the same family. */
export function mappingsOf(ports: readonly PublishedPort[], addresses: readonly string[]): readonly PortMapping[] {
  return ports.flatMap(({ protocol, hostIp, hostPort, containerPort }) => {
    const family = parseAddress(hostIp)?.family;
    const containerIp = addresses.map((address) => address.split('/')[0] ?? '').find((address) => parseAddress(address)?.family === family);
    if (containerIp === undefined) return [];
    return [{ protocol, hostIp: isAny(hostIp) ? '' : hostIp, hostPort, containerIp, containerPort }];
  });
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
