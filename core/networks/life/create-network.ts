import { alreadyExists, conflict, forbidden, invalidArgument } from '@gantry/sdk';
import type { CreateNetwork } from '@gantry/sdk/engine';
import type { Network, NetworkPlan } from '@gantry/sdk/network';
import { driverContext, driverName } from '../../drivers/index.ts';
import { failpoint, randomId, undoSignal } from '../../support/index.ts';
import { attempts } from '../attempts.ts';
import { withConfigFrom } from './config-only.ts';
import type { NetworkDocument, NetworkRecord } from '../documents.ts';
import { isPredefinedName, mtuOption } from './predefined.ts';
import { releasePools, requestPools, shownIpam } from '../ipam/pools.ts';
import { checkSubnets } from '../ipam/subnets.ts';
import type { Tools } from '../tools.ts';

const defaultDriver = 'bridge';
const defaultIpam = 'default';

/** Checks what a user wishes, in Docker's words; asks nobody and makes nothing. */
export function checkCreateNetwork({ name, ipv4 = true, ipv6 = false, ipam }: CreateNetwork): void {
  if (isPredefinedName(name)) throw forbidden(`operation is not permitted on predefined ${name} network `);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw invalidArgument(
      name.trim() === ''
        ? 'network name cannot be empty'
        : `invalid network name ${JSON.stringify(name)}, only [a-zA-Z0-9][a-zA-Z0-9_.-]* are allowed`,
    );
  }
  if (!ipv4 && !ipv6) throw invalidArgument('IPv4 or IPv6 must be enabled');
  checkSubnets(ipam?.Config ?? [], { ipv4, ipv6 });
}

/**
 * Makes a network: pools, plan, record. A failure leaves none of it. Its links and rules come afterwards, with its first container at the latest,
 * so that creating one costs no wait in the kernel; a name that somebody else's interface has is refused now all the same.
 */
export async function createNetwork(
  tools: Tools,
  given: CreateNetwork,
  { isPredefined = false }: { readonly isPredefined?: boolean } = {},
): Promise<NetworkRecord> {
  const request = withDefaults(tools, withConfigFrom(tools, given), isPredefined);
  if (tools.books.named(request.name) !== undefined) throw alreadyExists(`network with name ${request.name} already exists`);
  const wanted = driverName(request.driver || defaultDriver);
  const driver = await tools.drivers.get('network', wanted);
  if (!isPredefined && driver.namespace !== 'own') throw forbidden(`only one instance of "${wanted}" network is allowed`);
  if (!driver.ipam && !isPredefined && (request.ipam?.Config ?? []).length > 0)
    throw invalidArgument(`network driver ${wanted} gives out addresses itself: leave subnets, ranges and gateways to it`);
  await using undo = new AsyncDisposableStack();
  const id = randomId();
  tools.books.intendNetwork(id, request);
  undo.defer(() => tools.books.forgetIntent(id));
  const ipamName = driverName(request.ipam?.Driver || defaultIpam);
  failpoint('network.create.pools');
  const { pools, subnets } = driver.ipam ? await takePools(tools, undo, { id, request, ipamName }) : { pools: [], subnets: [] };
  const network = asNetwork(id, request, subnets);
  const ctx = driverContext(tools.log);
  failpoint('network.create.plugin.call');
  const plan = await driver.createNetwork({ network }, ctx);
  const attempt = attempts(tools.log, { network: request.name });
  undo.defer(() =>
    attempt('tell its driver', () =>
      driver.removeNetwork({ network, ...(plan.context === undefined ? {} : { context: plan.context }) }, { ...ctx, signal: undoSignal() }),
    ),
  );
  tools.executor.check(plan, { network, grants: tools.drivers.grants('network', wanted) });
  checkNames(tools, plan);
  const document: NetworkDocument = {
    created: tools.now(),
    driver: wanted,
    isPredefined,
    ...(request.configFrom && { configFrom: request.configFrom }),
    ipv4: network.ipv4,
    ipam: shownIpam({ ipam: request.ipam ?? {}, subnets: plan.network.subnets, driver: ipamName }),
    ipamDriver: driver.ipam ? ipamName : '',
    pools,
    plan,
    hasUserSubnets: (request.ipam?.Config ?? []).some(({ Subnet }) => Subnet !== undefined && Subnet !== ''),
  };
  const record = { id, name: request.name, document };
  if (!isPredefined) tools.executor.links.checkFree(plan);
  failpoint('network.create.meta.txn');
  tools.books.putNetwork(record);
  undo.move();
  return record;
}

/**
 * Takes back what `createNetwork` may have done for a network when the engine died: the same requests have the same answers, and what was never made is made and given back.
 * Throws what a driver that is not there throws; asked again, it begins again.
 */
export async function unmakeNetwork(tools: Tools, id: string, request: CreateNetwork): Promise<void> {
  const driver = await tools.drivers.get('network', driverName(request.driver || defaultDriver));
  await using undo = new AsyncDisposableStack();
  const ipamName = driverName(request.ipam?.Driver || defaultIpam);
  const { subnets } = driver.ipam ? await takePools(tools, undo, { id, request, ipamName }) : { subnets: [] };
  await driver.removeNetwork({ network: asNetwork(id, request, subnets) }, driverContext(tools.log));
}

/**
 * A link that the engine makes belongs to one network, which takes it along when it is removed. Links come after a network is made, so the kernel may not know yet
 * what another one will make.
 */
function checkNames({ books }: Tools, { network, links }: NetworkPlan): void {
  const made = new Set(links.filter(({ kind }) => kind !== 'existing' && kind !== 'none').map(({ name }) => name));
  for (const { name: other, document } of books.networks) {
    const shared = document.plan.links.find((link) => link.kind !== 'existing' && made.has(link.name));
    if (shared !== undefined) throw conflict(`cannot make network ${network.name}: interface ${shared.name} is network ${other}'s`);
  }
}

function withDefaults({ defaults: { mtu, networkOptions = {} } }: Tools, request: CreateNetwork, isPredefined: boolean): CreateNetwork {
  const driver = driverName(request.driver || defaultDriver);
  const ofDriver = isPredefined ? undefined : Object.entries(networkOptions).find(([name]) => driverName(name) === driver)?.[1];
  const ofBridge = mtu && driver === defaultDriver ? { [mtuOption]: String(mtu) } : {};
  return { ...request, options: { ...ofBridge, ...ofDriver, ...request.options } };
}

async function takePools(
  { drivers, books, log }: Tools,
  undo: AsyncDisposableStack,
  { id, request, ipamName }: { readonly id: string; readonly request: CreateNetwork; readonly ipamName: string },
) {
  const ipam = await drivers.get('ipam', ipamName);
  const ctx = driverContext(log);
  const taken = books.networks.flatMap(({ document }) => document.plan.network.subnets.map(({ cidr }) => cidr));
  const { ipv4 = true, ipv6 = false } = request;
  const source = { driver: ipam, grants: drivers.grants('ipam', ipamName) };
  const found = await requestPools(source, { networkId: id, ipam: request.ipam ?? {}, ipv4, ipv6, taken }, ctx);
  const attempt = attempts(log, { network: request.name });
  undo.defer(() => attempt('release its pools', () => releasePools(ipam, found.pools, { ...ctx, signal: undoSignal() })));
  return found;
}

function asNetwork(id: string, request: CreateNetwork, subnets: Network['subnets']): Network {
  return {
    id,
    name: request.name,
    subnets,
    internal: request.internal ?? false,
    ipv4: request.ipv4 ?? true,
    ipv6: request.ipv6 ?? false,
    attachable: request.attachable ?? false,
    options: request.options ?? {},
    labels: request.labels ?? {},
  };
}
