import { codeOf, messageOf } from '@gantry/sdk';
import { failpoint } from '../../support/index.ts';
import type { NetworkBooks } from '../books.ts';
import { checkUnchanged } from '../endpoints/cni.ts';
import type { EndpointRecord, PublishedPort } from '../documents.ts';
import { gatewayOrder } from '../endpoints/gateway.ts';
import { isChange, isMapped, matchPorts } from './match-ports.ts';
import { kernelPorts, mappingsOf, servePorts } from './mapped-ports.ts';
import { wishedPorts } from './port-wishes.ts';
import { type PublishTools, routedFamilies, takePorts } from './take-ports.ts';
import type { NetworkedContainer } from '../types.ts';

/** Publishes a container's ports on its way out. Ports that are taken fail before anything is changed in the kernel. */
export async function publishPorts(tools: PublishTools, container: NetworkedContainer, records: readonly EndpointRecord[]): Promise<void> {
  const wishes = wishedPorts(container.config, container.hostConfig);
  const carrier = carrierOf(records, tools.books);
  if (wishes.length === 0 || carrier === undefined) return;
  failpoint('start.port.listen');
  const ports = takePorts(tools, { owner: container.id, carrier }, wishes);
  await put(tools, { ...carrier, document: { ...carrier.document, ports } });
}

/**
 * Makes the published ports of a running container those that it wishes now: what stays keeps its host port and its connections, what goes
 * is given back, what is new is taken. A port that is taken is a `conflict`, and nothing is changed then. Answers false where nothing
 * carries ports: they are published when the container gets a network that does.
 */
export async function republish(tools: PublishTools, container: NetworkedContainer): Promise<boolean> {
  const records = tools.books.endpointsOf(container.id).filter(({ document }) => document.ifname !== '');
  const carrier = carrierOf(records, tools.books);
  const wishes = wishedPorts(container.config, container.hostConfig);
  checkUnchanged(tools, container, (ports) => isChange(matchPorts(ports, wishes)));
  if (carrier === undefined)
    return wishes.length === 0 || records.some(({ document }) => document.cni !== undefined && document.ports.length > 0);
  const { kept, gone, missing } = matchPorts(carrier.document.ports, wishes);
  if (!isChange({ gone, missing })) return true;
  const leaving = mappingsOf({ ...carrier, document: { ...carrier.document, ports: gone } }, tools.books);
  const staying = { ...carrier, document: { ...carrier.document, ports: kept } };
  await servePorts(tools, staying);
  tools.ports.giveBack(container.id, gone);
  try {
    const taken = takePorts(tools, { owner: container.id, carrier }, missing);
    await putOrBack(tools, carrier, { ports: [...kept, ...taken], taken });
  } catch (error) {
    const lost = tools.ports.retake(container.id, gone.filter(isMapped));
    if (lost.length > 0) tools.log.warn({ container: container.name, lost }, 'published ports were taken by another program meanwhile');
    await servePorts(tools, carrier);
    throw error;
  }
  tools.executor.forgetDatagrams(leaving);
  return true;
}

async function putOrBack(
  tools: PublishTools,
  carrier: EndpointRecord,
  { ports, taken }: { readonly ports: readonly PublishedPort[]; readonly taken: readonly PublishedPort[] },
): Promise<void> {
  try {
    await put(tools, { ...carrier, document: { ...carrier.document, ports } });
  } catch (error) {
    tools.ports.giveBack(carrier.containerId, taken);
    try {
      await put(tools, carrier);
    } catch (second) {
      throw new SuppressedError(second, error, 'ports could neither be published nor be put back');
    }
    throw error;
  }
}

/**
 * After a running container came to or left a network: its ports follow its way out, on the same host ports. `held` are those of a network
 * that it has left. Where nothing is left to carry them they are given back.
 */
export async function movePorts(tools: PublishTools, container: NetworkedContainer, held: readonly PublishedPort[] = []): Promise<void> {
  const records = tools.books.endpointsOf(container.id).filter(({ document }) => document.ifname !== '');
  const before = records.find(({ document }) => document.ports.length > 0 && document.cni === undefined);
  const carrier = carrierOf(records, tools.books);
  const ports = before?.document.ports ?? held;
  if (carrier === before && held.length === 0) return;
  if (carrier === undefined) {
    await unpublishPorts(tools, container.id);
    tools.ports.release(container.id);
  }
  if (before !== undefined && before !== carrier) tools.books.putEndpoints([{ ...before, document: { ...before.document, ports: [] } }]);
  if (carrier === undefined || carrier === before) return;
  if (ports.length > 0 && ports.every((port) => port.hostPort !== 0) && routedFamilies(carrier, tools.books).size === 0) {
    await put(tools, { ...carrier, document: { ...carrier.document, ports } });
    return;
  }
  tools.ports.release(container.id);
  await publishPorts(tools, container, [carrier]);
}

/** Out of the firewall at once; resolves when nobody serves them any more, so that their sockets' places are free as soon as the books give them up. */
export async function unpublishPorts(tools: PublishTools, containerId: string): Promise<void> {
  const dropped = tools.mapper.drop(containerId);
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
  await dropped;
}

function carrierOf(records: readonly EndpointRecord[], books: NetworkBooks): EndpointRecord | undefined {
  return gatewayOrder(records, books).find(({ document }) => document.plan?.publishable === true);
}

/** Into the books and the kernel; datagrams that came while nobody had the port must not go on leading nowhere. */
async function put(tools: PublishTools, carrier: EndpointRecord): Promise<void> {
  tools.books.putEndpoints([carrier]);
  failpoint('start.fw.rules');
  const mappings = mappingsOf(carrier, tools.books);
  tools.executor.publish(carrier.containerId, kernelPorts(tools, mappings));
  const served = servePorts(tools, carrier);
  tools.executor.forgetDatagrams(mappings);
  await served;
}
