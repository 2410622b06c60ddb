import { conflict, forbidden, GantryError, invalidArgument } from '@gantry/sdk';
import type { EndpointConfig } from '@gantry/sdk/engine';
import { attach, checkStatic, detach } from './attachments.ts';
import { attempts } from '../attempts.ts';
import { refuseConfigOnly } from '../life/config-only.ts';
import { refreshResolvConf } from '../files/container-files.ts';
import type { NetworkRecord } from '../documents.ts';
import { failpoint } from '../../support/index.ts';
import { openLinks } from '../ports/linked-ports.ts';
import { movePorts, unpublishPorts } from '../ports/publish.ts';
import type { Sandboxes, SandboxTools } from './sandboxes.ts';
import type { NetworkedContainer } from '../types.ts';
import { checkEndpointConfig, networkMode, wishedNetworks } from './wishes.ts';

export interface ConnectRequest {
  readonly network: string;
  readonly container: string;
}

/** Puts a container on a network: at once when it runs, at its next start otherwise. Twice is `forbidden`, as in Docker. */
export async function connect(
  tools: SandboxTools,
  sandboxes: Sandboxes,
  { network: wanted, container: who, config }: ConnectRequest & { readonly config: EndpointConfig },
): Promise<void> {
  const network = tools.books.find(wanted);
  refuseConfigOnly(network);
  const container = tools.users().find(who);
  checkEndpointConfig(config, network.name);
  checkStatic(network, [config.IPAMConfig?.IPv4Address ?? '', config.IPAMConfig?.IPv6Address ?? '']);
  checkMode(container, network);
  using _held = await sandboxes.mutex.acquire(container.id);
  const { running, networks } = tools.users().find(container.id);
  if (tools.books.endpoint(container.id, network.id) !== undefined || isRecorded(tools, networks, network)) {
    throw forbidden(`endpoint with name ${container.name} already exists in network ${network.name}`);
  }
  // The disk takes the wish while the kernel makes the link.
  const recorded = recordWish(tools, container.id, { ...withMode({ ...container, networks }), [network.name]: config });
  try {
    if (running) await connectRunning(tools, sandboxes, { container, network, config });
  } catch (error) {
    await recordWish(tools, container.id, networks);
    throw error;
  }
  failpoint('network.connect.meta.txn');
  await recorded;
}

/** Takes a container off a network. With `force` it need not exist any more. */
export async function disconnect(
  tools: SandboxTools,
  sandboxes: Sandboxes,
  { network: wanted, container: who, force }: ConnectRequest & { readonly force: boolean },
): Promise<void> {
  const network = tools.books.find(wanted);
  const container = findUser(tools, who, force);
  const containerId = container?.id ?? who;
  if (container !== undefined && networkMode(container.hostConfig).kind === 'host') {
    throw conflict('container cannot be disconnected from host network or connected to host network');
  }
  using _held = await sandboxes.mutex.acquire(containerId);
  const endpoint = tools.books.endpoint(containerId, network.id);
  const named = container === undefined ? undefined : wishName(tools, container, network);
  if (endpoint === undefined && named === undefined) {
    throw forbidden(`container ${containerId} is not connected to network ${network.name}`);
  }
  const { [named ?? network.name]: _gone, ...others } = container === undefined ? {} : withMode(container);
  const recorded = container === undefined ? undefined : recordWish(tools, containerId, others);
  if (endpoint !== undefined) {
    if (endpoint.document.ports.length > 0) await unpublishPorts(tools, containerId);
    openLinks(tools, { except: containerId });
    // Before its link goes, for which the kernel would be waited.
    await attempts(
      tools.log,
      { container: containerId, network: network.name },
      'taking a container out of a network',
    )('move its way out', () => {
      if (sandboxes.wayOut(containerId) === network.id) sandboxes.reroute(containerId, { except: network.id });
    });
    failpoint('network.disconnect.link');
    await detach(tools, endpoint, { netnsGone: false });
    if (container === undefined) tools.ports.release(containerId);
    else await movePorts(tools, container, endpoint.document.ports);
    openLinks(tools);
  }
  if (container !== undefined) {
    await sandboxes.serveNamesOf(container);
    if (endpoint !== undefined) refreshResolvConf(tools, container);
  }
  failpoint('network.disconnect.meta.txn');
  await recorded;
}

/** It counts at once; whoever waits knows that it is durable. */
function recordWish({ users }: SandboxTools, containerId: string, networks: NetworkedContainer['networks']): Promise<void> {
  const recorded = users().setNetworks(containerId, networks);
  // Of a failure hears who waits; until then it is no unhandled one.
  recorded.catch(() => undefined);
  return recorded;
}

async function connectRunning(
  tools: SandboxTools,
  sandboxes: Sandboxes,
  {
    container,
    network,
    config,
  }: { readonly container: NetworkedContainer; readonly network: NetworkRecord; readonly config: EndpointConfig },
): Promise<void> {
  const before = sandboxes.wayOut(container.id);
  const record = await attach(tools, { container, network, config, netnsPath: sandboxes.netnsPath(container.id), isGateway: false });
  try {
    // CNI plugins set a way out wherever their configuration says so.
    if (sandboxes.wayOut(container.id) !== before || record.document.cni !== undefined) sandboxes.reroute(container.id);
    await movePorts(tools, container);
    openLinks(tools);
    await sandboxes.serveNamesOf(container);
    refreshResolvConf(tools, container);
  } catch (error) {
    const { ports } = tools.books.endpoint(container.id, network.id)?.document ?? record.document;
    await detach(tools, record, { netnsGone: false });
    sandboxes.reroute(container.id);
    await movePorts(tools, container, ports);
    throw error;
  }
}

function checkMode(container: NetworkedContainer, network: NetworkRecord): void {
  const mode = networkMode(container.hostConfig).kind;
  if (mode === 'container') {
    throw invalidArgument('container sharing network namespace with another container or host cannot be connected to any other network');
  }
  if (mode === 'host' || network.name === 'host') {
    throw invalidArgument('container cannot be disconnected from host network or connected to host network');
  }
  if (mode === 'none' || network.name === 'none') {
    throw invalidArgument('container cannot be connected to multiple networks with one of the networks in private (none) mode');
  }
}

/** Whether it was put there, at its creation or later, and not taken away since: what its mode alone implies does not count. */
function isRecorded({ books }: SandboxTools, networks: NetworkedContainer['networks'], network: NetworkRecord): boolean {
  return Object.keys(networks).some((name) => name === network.name || books.byId(name)?.id === network.id);
}

/** Under which key a container's wishes name this network. */
function wishName(
  { books }: SandboxTools,
  container: Pick<NetworkedContainer, 'hostConfig' | 'networks'>,
  network: NetworkRecord,
): string | undefined {
  return wishedNetworks(container).find(([name]) => name === network.name || books.byId(name)?.id === network.id)?.[0];
}

/** The recorded wishes, with the network that the mode alone implied. */
function withMode(container: Pick<NetworkedContainer, 'hostConfig' | 'networks'>): Readonly<Record<string, EndpointConfig>> {
  return Object.fromEntries(wishedNetworks(container));
}

function findUser(tools: SandboxTools, who: string, force: boolean) {
  try {
    return tools.users().find(who);
  } catch (error) {
    if (force && GantryError.is(error) && error.code === 'not_found') return undefined;
    throw error;
  }
}
