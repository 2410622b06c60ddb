import { conflict, invalidArgument } from '@gantry/sdk';
import type { EndpointConfig } from '@gantry/sdk/engine';
import { contains, type Endpoint, type EndpointPlan, parseAddress, parseCidr } from '@gantry/sdk/network';
import { driverContext } from '../../drivers/index.ts';
import { checkEndpointPlan } from '../../execute/index.ts';
import { type Abortable, failpoint, randomId, shortId, undoSignal } from '../../support/index.ts';
import { attempts } from '../attempts.ts';
import { attachByCni, detachByCni } from './cni.ts';
import type { EndpointDocument, EndpointRecord, NetworkRecord } from '../documents.ts';
import { releaseAddresses, requestAddresses } from '../ipam/pools.ts';
import { exposedPorts, wishedPorts } from '../ports/port-wishes.ts';
import type { PublishTools } from '../ports/take-ports.ts';
import type { Tools } from '../tools.ts';
import type { NetworkedContainer } from '../types.ts';
import { checkWished, wishedAddresses } from '../ipam/wished-addresses.ts';
import { ifnameOption, parseSysctls, sysctlsOption } from './wishes.ts';

export interface AttachRequest {
  readonly container: NetworkedContainer;
  readonly network: NetworkRecord;
  readonly config: EndpointConfig;
  /** Where the container's namespace is pinned; empty for the host's. */
  readonly netnsPath: string;
  /** This network has the default route. */
  readonly isGateway: boolean;
}

/**
 * Takes a container into a network: recorded, then addresses, then the driver's plan, then the kernel. A failure undoes all of it; what a
 * crash leaves is found by the record.
 */
export async function attach(tools: PublishTools, request: AttachRequest, { signal }: Partial<Abortable> = {}): Promise<EndpointRecord> {
  const { container, network, config } = request;
  const driver = await tools.drivers.get('network', network.document.driver);
  const ctx = driverContext(tools.log, signal);
  const planned = plannedRecord(request);
  if (tools.books.isLeaving(network.id)) {
    throw conflict(`network ${network.name} is being removed`, { hint: 'remove it once more if that failed' });
  }
  tools.books.putEndpoints([planned]);
  try {
    failpoint('start.ipam');
    const addresses = await addressesFor(tools, planned, network, config, signal);
    const endpoint = asEndpoint(planned.document, { ...request, addresses });
    const context = network.document.plan.context;
    const described = await driver.attach(
      { network: network.document.plan.network, endpoint, ...(context === undefined ? {} : { networkContext: context }) },
      ctx,
    );
    checkEndpointPlan(described, { grants: tools.drivers.grants('network', network.document.driver), network: network.document.plan });
    const plan = withSysctls(described, config);
    if (plan.cni === undefined) checkWished(network, config, plan.addresses);
    const recorded: EndpointRecord = { ...planned, document: { ...planned.document, addresses: plan.addresses, plan } };
    tools.books.putEndpoints([recorded]);
    signal?.throwIfAborted();
    if (driver.namespace !== 'own') {
      publish(tools, 'connect', recorded);
      return recorded;
    }
    tools.executor.ensureNetwork(network.document.plan);
    const record =
      plan.cni === undefined
        ? make(tools, request, recorded, plan)
        : await attachByCni(tools, request, recorded, signal === undefined ? {} : { signal });
    publish(tools, 'connect', record);
    return record;
  } catch (error) {
    await detach(tools, tools.books.endpoint(container.id, network.id) ?? planned, { netnsGone: false });
    throw error;
  }
}

function make(tools: Tools, { netnsPath, isGateway }: AttachRequest, recorded: EndpointRecord, plan: EndpointPlan): EndpointRecord {
  const made = tools.executor.makeEndpoint({ endpointId: recorded.document.endpointId, netnsPath, plan, isGateway });
  const record = { ...recorded, document: { ...recorded.document, ...made } };
  tools.books.putEndpoints([record]);
  return record;
}

/** Takes a container out of a network. What fails is logged and the rest is undone all the same; twice is fine. */
export async function detach(tools: Tools, record: EndpointRecord, { netnsGone }: { readonly netnsGone: boolean }): Promise<void> {
  const { document, networkId, containerId } = record;
  const network = tools.books.byId(networkId);
  const facts = { container: containerId, network: network?.name ?? networkId };
  const attempt = attempts(tools.log, facts, 'taking a container out of a network');
  const ctx = driverContext(tools.log, undoSignal());
  await attempt('remove its link', () => {
    if (document.plan?.cni !== undefined) return detachByCni(tools, record);
    return netnsGone ? tools.executor.cutEndpoint(document) : tools.executor.undoEndpoint(document);
  });
  if (network !== undefined && document.plan !== undefined) {
    const context = document.plan.context;
    await attempt('tell its driver', async () => {
      const driver = await tools.drivers.get('network', network.document.driver);
      const request = { network: network.document.plan.network, attachmentId: document.attachmentId, netnsGone };
      await driver.detach({ ...request, ...(context === undefined ? {} : { context }) }, ctx);
    });
  }
  if (network !== undefined && network.document.pools.length > 0) {
    await attempt('release its addresses', async () => {
      const ipam = await tools.drivers.get('ipam', network.document.ipamDriver);
      await releaseAddresses(ipam, network.document.pools, document.attachmentId, ctx);
    });
  }
  tools.books.removeEndpoint(containerId, networkId);
  if (document.plan !== undefined) publish(tools, 'disconnect', record);
}

/** DNS names in Docker's order: container name, aliases, short id, hostname. */
export function namesOf(container: NetworkedContainer, config: EndpointConfig): readonly string[] {
  const hostname = container.config.Hostname || shortId(container.id);
  return [...new Set([container.name, ...(config.Aliases ?? []), shortId(container.id), hostname])];
}

/** The user's settings of the interface come after the driver's own. */
function withSysctls(plan: EndpointPlan, { DriverOpts }: EndpointConfig): EndpointPlan {
  const wished = parseSysctls(DriverOpts?.[sysctlsOption] ?? '');
  return Object.keys(wished).length === 0 ? plan : { ...plan, sysctls: { ...plan.sysctls, ...wished } };
}

function publish({ books, events }: Tools, action: 'connect' | 'disconnect', { containerId, networkId }: EndpointRecord): void {
  const network = books.byId(networkId);
  if (network === undefined) return;
  events.publish('network', action, networkId, { container: containerId, name: network.name, type: network.document.driver });
}

function plannedRecord({ container, network, config, netnsPath }: AttachRequest): EndpointRecord {
  const document: EndpointDocument = {
    endpointId: randomId(),
    attachmentId: `${shortId(container.id)}-${shortId(network.id)}`,
    containerName: container.name,
    netnsPath,
    config,
    names: namesOf(container, config),
    addresses: [],
    ifname: '',
    mac: '',
    ports: [],
  };
  return { containerId: container.id, networkId: network.id, document };
}

async function addressesFor(
  tools: Tools,
  { document }: EndpointRecord,
  network: NetworkRecord,
  config: EndpointConfig,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  if (network.document.pools.length === 0) return [];
  const { IPv4Address: ipv4 = '', IPv6Address: ipv6 = '' } = config.IPAMConfig ?? {};
  checkStatic(network, [ipv4, ipv6]);
  const ipam = await tools.drivers.get('ipam', network.document.ipamDriver);
  const wish = { owner: document.attachmentId, ipv4, ipv6, networkName: network.name, networkId: network.id };
  const source = { driver: ipam, grants: tools.drivers.grants('ipam', network.document.ipamDriver) };
  return requestAddresses(source, network.document.pools, wish, driverContext(tools.log, signal));
}

/** Docker's rules: a static address needs a network whose subnet the user chose, and must be in it; whose driver gives out addresses itself, that one answers. */
export function checkStatic({ name, document }: NetworkRecord, wished: readonly string[]): void {
  if (document.ipamDriver === '' && !document.isPredefined) return;
  for (const text of wished.filter((address) => address !== '')) {
    if (document.isPredefined) throw invalidArgument('user specified IP address is supported on user defined networks only');
    if (!document.hasUserSubnets) {
      throw invalidArgument('user specified IP address is supported only when connecting to networks with user configured subnets');
    }
    const address = parseAddress(text);
    const isInside = document.pools.some(({ cidr }) => {
      const pool = parseCidr(cidr);
      return address !== undefined && pool !== undefined && contains(pool, address);
    });
    if (!isInside) throw invalidArgument(`no configured subnet or ip-range contains the IP address ${text} in network ${name}`);
  }
}

function asEndpoint(
  document: EndpointDocument,
  { container, network, config, netnsPath, isGateway, addresses }: AttachRequest & { readonly addresses: readonly string[] },
): Endpoint {
  const mac = config.MacAddress || undefined;
  const ifname = config.DriverOpts?.[ifnameOption];
  const wished = wishedAddresses(network, config);
  return {
    attachmentId: document.attachmentId,
    containerId: container.id,
    containerName: container.name,
    hostname: container.config.Hostname || shortId(container.id),
    aliases: config.Aliases ?? [],
    ...(ifname === undefined ? {} : { ifname }),
    ...(mac === undefined ? {} : { mac: mac.toLowerCase() }),
    addresses,
    ...(wished.length === 0 ? {} : { wishedAddresses: wished }),
    options: config.DriverOpts ?? {},
    ...(netnsPath === '' ? {} : portsOf(container, isGateway)),
  };
}

/** Published where the container's way out is, and nowhere twice. */
function portsOf({ config, hostConfig }: NetworkedContainer, isGateway: boolean): Pick<Endpoint, 'exposedPorts' | 'ports'> {
  const ports = isGateway ? wishedPorts(config, hostConfig) : [];
  const exposed = new Map(
    [...exposedPorts(config), ...ports].map(({ protocol, containerPort }) => [`${containerPort}/${protocol}`, { protocol, containerPort }]),
  );
  return {
    ...(exposed.size === 0 ? {} : { exposedPorts: [...exposed.values()] }),
    ...(ports.length === 0
      ? {}
      : { ports: ports.map(({ hostPortEnd, ...port }) => ({ ...port, ...(hostPortEnd > port.hostPort ? { hostPortEnd } : {}) })) }),
  };
}
