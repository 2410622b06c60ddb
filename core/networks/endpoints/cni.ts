import { type Abortable, conflict, messageOf } from '@gantry/sdk';
import { type EndpointPlan, parseCidr } from '@gantry/sdk/network';
import { type CniPortMapping, type CniResult, type CniWork, takesPortMappings } from '../../execute/index.ts';
import type { EndpointDocument, EndpointRecord, NetworkRecord, PublishedPort } from '../documents.ts';
import { type PublishTools, takePorts } from '../ports/take-ports.ts';
import { wishedPorts } from '../ports/port-wishes.ts';
import { mayAdd } from '../repair/cni-leftovers.ts';
import type { Tools } from '../tools.ts';
import { checkWished } from '../ipam/wished-addresses.ts';
import type { NetworkedContainer } from '../types.ts';

export interface CniRequest {
  readonly container: NetworkedContainer;
  readonly network: NetworkRecord;
  /** The container's way out: its ports are published here. */
  readonly isGateway: boolean;
}

/**
 * Has CNI plugins make an endpoint whose plan asks for them: recorded before, with the ports and programs that undo needs, and after with what they answered. Their own books are
 * on the disk, and so is the record: a power cut takes neither.
 */
export async function attachByCni(
  tools: PublishTools,
  { container, network, isGateway }: CniRequest,
  recorded: EndpointRecord,
  options: Abortable,
): Promise<EndpointRecord> {
  const { cni, link } = recorded.document.plan ?? {};
  if (cni === undefined || link === undefined) return recorded;
  const { plugin, cni: folders = [] } = tools.drivers.grants('network', network.document.driver);
  await mayAdd(tools, network, { containerId: container.id, cni });
  const ports =
    isGateway && takesPortMappings(cni)
      ? takePorts(tools, { owner: container.id, carrier: recorded }, wishedPorts(container.config, container.hostConfig))
      : [];
  try {
    const ifname = tools.executor.freeName(recorded.document.netnsPath, link.name);
    const planned = { ...recorded, document: { ...recorded.document, ifname, ports, cni: { plugin, folders } } };
    tools.books.putLastingEndpoint(planned);
    const result = await tools.executor.addCni(workOf(planned), options);
    const made = { ...planned, document: withResult(planned.document, result) };
    tools.books.putEndpoints([made]);
    checkWished(network, recorded.document.config, made.document.addresses);
    return made;
  } catch (error) {
    tools.ports.giveBack(container.id, ports);
    throw error;
  }
}

/** Has CNI plugins take back what they made of an endpoint; what they do not is remembered, and asked for again. */
export async function detachByCni({ executor, books }: Tools, record: EndpointRecord): Promise<void> {
  if (record.document.cni === undefined) return;
  const work = workOf(record);
  try {
    await executor.delCni(work);
  } catch (error) {
    books.leaveBehind(record.document.endpointId, { networkId: record.networkId, work });
    throw error;
  }
}

/** Ports that CNI plugins publish are published when the container starts, and stay as they are until it ends. */
export function checkUnchanged(tools: Tools, container: NetworkedContainer, isChanged: (ports: readonly PublishedPort[]) => boolean): void {
  for (const { networkId, document } of tools.books.endpointsOf(container.id)) {
    if (document.cni === undefined || !isChanged(document.ports)) continue;
    throw conflict(
      `CNI plugins publish the ports of container ${container.name} on network ${tools.books.byId(networkId)?.name}, and do so only when it starts`,
      {
        hint: 'stop the container first',
      },
    );
  }
}

/** After the engine was started again. What is wrong is told and left as it is: nobody but a CNI plugin knows how to mend it. */
export async function checkCni(tools: Tools, record: EndpointRecord): Promise<void> {
  if (record.document.cni?.result === undefined) return;
  try {
    await tools.executor.checkCni(workOf(record));
  } catch (error) {
    const network = tools.books.byId(record.networkId)?.name;
    tools.log.warn({ container: record.document.containerName, network, reason: messageOf(error) }, 'a CNI network is not as it was made');
  }
}

function workOf({ containerId, document }: EndpointRecord): CniWork {
  const { plan, cni = { plugin: '', folders: [] }, netnsPath, ifname, ports } = document;
  return { ...cni, containerId, netnsPath, ifname, cni: plan?.cni ?? { config: '' }, portMappings: mappings(ports) };
}

/** One mapping for the addresses of both families that "every address" stands for. */
function mappings(ports: readonly PublishedPort[]): readonly CniPortMapping[] {
  const found = ports.map(({ hostIp, hostPort, containerPort, protocol }) => {
    const isAny = hostIp === '0.0.0.0' || hostIp === '::';
    return { hostPort, containerPort, protocol, ...(isAny ? {} : { hostIP: hostIp }) };
  });
  return [...new Map(found.map((mapping) => [JSON.stringify(mapping), mapping])).values()];
}

function withResult(document: EndpointDocument, result: CniResult): EndpointDocument {
  const { interfaces = [], ips = [], routes = [] } = result;
  const isInside = (index: number | undefined) => index === undefined || (interfaces[index]?.sandbox ?? '') !== '';
  const own = ips.filter((ip) => isInside(ip.interface));
  const gatewayOf = (family: 4 | 6) => own.find(({ address }) => parseCidr(address)?.family === family)?.gateway;
  const plan: EndpointPlan = {
    ...(document.plan ?? { link: { kind: 'none', name: '' }, publishable: false }),
    addresses: own.map(({ address }) => address),
    routes: routes.map(({ dst, gw = gatewayOf(parseCidr(dst)?.family ?? 4) }) => ({ to: dst, ...(gw === undefined ? {} : { via: gw }) })),
    ...when('gateway', gatewayOf(4)),
    ...when('gateway6', gatewayOf(6)),
  };
  const inside = interfaces.find(({ name, sandbox = '' }) => sandbox !== '' && name === document.ifname);
  return {
    ...document,
    plan,
    addresses: plan.addresses,
    mac: inside?.mac ?? '',
    cni: { plugin: '', folders: [], ...document.cni, result },
  };
}

function when<Key extends string>(key: Key, value: string | undefined): { readonly [K in Key]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]: string });
}
