import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, messageOf } from '@gantry/sdk';
import type { EndpointConfig, EndpointInfo } from '@gantry/sdk/engine';
import { createNetns, createNetnsOf, removeNetns } from '@gantry/sdk/linux';
import { parseCidr } from '@gantry/sdk/network';
import { isDefault, setDefaultRoutes } from '../../execute/index.ts';
import { type Abortable, failpoint, KeyedMutex, shortId } from '../../support/index.ts';
import { attach, detach } from './attachments.ts';
import type { DnsServers } from '../dns/index.ts';
import { refuseConfigOnly } from '../life/config-only.ts';
import type { EndpointRecord, NetworkRecord } from '../documents.ts';
import { endpointInfo } from './endpoint-info.ts';
import { gatewayOrder } from './gateway.ts';
import { checkCni } from './cni.ts';
import { containerFiles } from '../files/container-files.ts';
import { finishConnecting } from './finish-connecting.ts';
import { openLinks } from '../ports/linked-ports.ts';
import type { Mapper } from '../ports/mapper/index.ts';
import type { PortBooks } from '../ports/port-books.ts';
import { servePorts } from '../ports/mapped-ports.ts';
import { publishPorts, republish, unpublishPorts } from '../ports/publish.ts';
import { publishedPorts } from '../ports/published-ports.ts';
import type { Tools } from '../tools.ts';
import type { NetworkedContainer, Sandbox } from '../types.ts';
import { networkMode, wishedNetworks } from './wishes.ts';

export interface SandboxTools extends Tools {
  readonly ports: PortBooks;
  /** Ports that this process serves itself. */
  readonly mapper: Mapper;
  readonly dns: DnsServers;
}
export interface Wish {
  readonly network: NetworkRecord;
  readonly config: EndpointConfig;
}

/** Network namespaces of running containers and what is in them: one operation per container at a time. */
export class Sandboxes {
  readonly #tools: SandboxTools;
  readonly mutex = new KeyedMutex();
  /** Containers that this process set up or took over: none of them is a remnant. */
  readonly #live = new Set<string>();

  constructor(tools: SandboxTools) {
    this.#tools = tools;
  }

  async setup(container: NetworkedContainer, { signal }: Partial<Abortable> = {}): Promise<Sandbox> {
    using _held = await this.mutex.acquire(container.id, signal === undefined ? {} : { signal });
    const mode = networkMode(container.hostConfig);
    if (mode.kind === 'container') return this.#share(mode.container);
    await this.#undo(container.id);
    this.#live.add(container.id);
    try {
      return await this.#setup(container, signal);
    } catch (error) {
      await this.#undo(container.id);
      throw error;
    }
  }

  async teardown(containerId: string): Promise<void> {
    using _held = await this.mutex.acquire(containerId);
    await this.#undo(containerId);
  }

  async publish(container: NetworkedContainer): Promise<boolean> {
    using _held = await this.mutex.acquire(container.id);
    return await republish(this.#tools, container);
  }

  async adopt(container: NetworkedContainer): Promise<Sandbox> {
    using _held = await this.mutex.acquire(container.id);
    const mode = networkMode(container.hostConfig);
    if (mode.kind === 'container') return this.#share(mode.container);
    this.#live.add(container.id);
    if (mode.kind === 'networks') await finishConnecting(this.#tools, container);
    const { books, ports, log, executor } = this.#tools;
    const records = books.endpointsOf(container.id);
    if (records.length > 1) this.reroute(container.id);
    for (const { networkId } of records) {
      const network = books.byId(networkId);
      if (network !== undefined) executor.ensureNetwork(network.document.plan);
    }
    const lost = ports.retake(
      container.id,
      records.flatMap(({ document }) => document.ports).filter(({ hostPort }) => hostPort !== 0),
    );
    for (const { hostIp, hostPort, protocol } of lost) {
      log.warn({ container: container.name }, `published port ${hostIp}:${hostPort}/${protocol} was taken by another program meanwhile`);
    }
    executor.firewall.repair();
    for (const record of records) await this.#serveAgain(record);
    for (const record of records) await checkCni(this.#tools, record);
    await this.#finishPublishing(container);
    openLinks(this.#tools);
    await this.#serveNames(container, records);
    return this.#describe(container, books.endpointsOf(container.id));
  }

  get live(): ReadonlySet<string> {
    return this.#live;
  }

  /** By which network a running container leaves. */
  wayOut(containerId: string): string | undefined {
    return this.#inOrder(containerId)[0]?.networkId;
  }

  #inOrder(containerId: string, except?: string): readonly EndpointRecord[] {
    const { books } = this.#tools;
    return gatewayOrder(
      books.endpointsOf(containerId).filter(({ document, networkId }) => document.ifname !== '' && networkId !== except),
      books,
    );
  }

  /** Puts the default route where it belongs after a network came, or before one goes. */
  reroute(containerId: string, { except }: { readonly except?: string } = {}): void {
    const records = this.#tools.books.endpointsOf(containerId).filter(({ document }) => document.ifname !== '');
    const [first] = this.#inOrder(containerId, except);
    if (records[0] === undefined) return;
    const routes = (first?.document.plan?.routes ?? []).filter(isDefault);
    setDefaultRoutes(
      records[0].document.netnsPath,
      routes.flatMap(({ to, via }) =>
        first === undefined ? [] : [{ ifname: first.document.ifname, via, family: parseCidr(to)?.family ?? 4 }],
      ),
    );
  }

  /** Makes a link again that somebody deleted under its container, as it was; answers whether it had to. Nothing happens when it is there (and `isGone` does not say otherwise), or the container gone. */
  async restoreLink(containerId: string, networkId: string, { isGone }: { readonly isGone: boolean }): Promise<boolean> {
    using _held = await this.mutex.acquire(containerId);
    const { books, executor } = this.#tools;
    const record = books.endpoint(containerId, networkId);
    const network = books.byId(networkId);
    if (record?.document.plan === undefined || network === undefined) return false;
    if (!isGone && executor.hasEndpoint(record.document)) return false;
    const { endpointId, netnsPath, plan, ifname, mac } = record.document;
    executor.ensureNetwork(network.document.plan);
    const link = { ...plan.link, name: ifname };
    executor.makeEndpoint({ endpointId, netnsPath, plan: { ...plan, link, mac }, isGateway: false });
    this.reroute(containerId);
    return true;
  }

  /** Starts or refreshes the name server of a running container after its networks changed. */
  async serveNamesOf(container: NetworkedContainer): Promise<void> {
    await this.#serveNames(container, this.#tools.books.endpointsOf(container.id));
  }

  netnsPath(containerId: string): string {
    return join(this.#tools.execRoot, 'netns', shortId(containerId));
  }

  async #setup(container: NetworkedContainer, signal: AbortSignal | undefined): Promise<Sandbox> {
    const wishes = this.#wishesOf(container);
    const isOwn = networkMode(container.hostConfig).kind === 'networks';
    const netnsPath = isOwn ? await this.#makeNetns(container) : '';
    const [gateway] = gatewayOrder(
      wishes.map(({ network, config }) => ({ networkId: network.id, document: { config } })),
      this.#tools.books,
    );
    const records: EndpointRecord[] = [];
    for (const { network, config } of wishes) {
      const isGateway = network.id === gateway?.networkId;
      records.push(await attach(this.#tools, { container, network, config, netnsPath, isGateway }, signal === undefined ? {} : { signal }));
    }
    // CNI plugins have set a way out wherever their configuration says so.
    if (records.length > 1 && records.some(({ document }) => document.cni !== undefined)) this.reroute(container.id);
    if (isOwn) await publishPorts(this.#tools, container, records);
    openLinks(this.#tools);
    await this.#serveNames(container, records);
    return this.#describe(container, this.#tools.books.endpointsOf(container.id));
  }

  async #serveAgain(record: EndpointRecord): Promise<void> {
    try {
      await servePorts(this.#tools, record);
    } catch (error) {
      this.#tools.log.warn({ container: record.document.containerName, reason: messageOf(error) }, 'could not serve its published ports');
    }
  }

  /** A change of ports that was recorded and not carried out, or the other way round, when the engine died. */
  async #finishPublishing(container: NetworkedContainer): Promise<void> {
    try {
      await republish(this.#tools, container);
    } catch (error) {
      this.#tools.log.warn({ container: container.name, reason: messageOf(error) }, 'could not publish its ports as they are wished');
    }
  }

  #wishesOf(container: NetworkedContainer): readonly Wish[] {
    const wishes = new Map<string, Wish>();
    for (const [index, [name, config]] of wishedNetworks(container).entries()) {
      const network = this.#tools.books.find(name);
      refuseConfigOnly(network);
      const mac = index === 0 && !config.MacAddress && container.config.MacAddress ? { MacAddress: container.config.MacAddress } : {};
      if (!wishes.has(network.id)) wishes.set(network.id, { network, config: { ...config, ...mac } });
    }
    return [...wishes.values()];
  }

  async #makeNetns({ id, userNamespace }: NetworkedContainer): Promise<string> {
    const path = this.netnsPath(id);
    mkdirSync(join(this.#tools.execRoot, 'netns'), { recursive: true, mode: 0o700 });
    failpoint('start.netns');
    if (userNamespace === undefined) createNetns(path);
    else await createNetnsOf(userNamespace, path);
    return path;
  }

  async #serveNames(container: NetworkedContainer, records: readonly EndpointRecord[]): Promise<void> {
    const { books, dns } = this.#tools;
    const served = records.filter(
      ({ networkId, document }) => document.ifname !== '' && books.byId(networkId)?.document.isPredefined === false,
    );
    if (served[0] === undefined) dns.withdraw(container.id);
    else await dns.serve({ container, networkIds: served.map(({ networkId }) => networkId), netnsPath: served[0].document.netnsPath });
  }

  #describe(container: NetworkedContainer, records: readonly EndpointRecord[]): Sandbox {
    const mode = networkMode(container.hostConfig);
    const { books } = this.#tools;
    return {
      ...(mode.kind === 'networks' ? { netnsPath: this.netnsPath(container.id) } : {}),
      ...(mode.kind === 'none' ? { newNetns: true } : {}),
      endpoints: records.map((record) => endpointInfo(record, books)),
      ports: publishedPorts(container, records),
      ...containerFiles(this.#tools, container, records),
    };
  }

  /** --network container:X: all of X's. A path, not a copy: when X is started again, this container keeps the old one, as in Docker. */
  #share(wanted: string): Sandbox {
    const target = this.#tools.users().find(wanted);
    if (!target.running) throw conflict(`cannot join network of a non running container: ${target.id}`);
    const mode = networkMode(target.hostConfig);
    if (mode.kind === 'container') return this.#share(mode.container);
    const { resolvConf, hostsEntries } = this.#describe(target, this.#tools.books.endpointsOf(target.id));
    const shared = { endpoints: [] as readonly EndpointInfo[], ports: {}, hostsEntries, resolvConf, env: [] };
    if (mode.kind === 'host') return shared;
    if (mode.kind === 'networks') return { netnsPath: this.netnsPath(target.id), ...shared };
    if (target.pid === undefined) throw conflict(`cannot join network of container ${target.name}: its network namespace is not known`);
    return { netnsPath: `/proc/${target.pid}/ns/net`, ...shared };
  }

  /** Before its address may be another's. */
  #closeLinks(containerId: string): void {
    try {
      openLinks(this.#tools, { except: containerId });
    } catch (error) {
      this.#tools.log.warn({ container: containerId, reason: messageOf(error) }, 'could not close the ports that its links opened');
    }
  }

  async #undo(containerId: string): Promise<void> {
    const { books, dns, ports, log } = this.#tools;
    this.#live.delete(containerId);
    dns.close(containerId);
    await unpublishPorts(this.#tools, containerId);
    this.#closeLinks(containerId);
    ports.release(containerId);
    for (const record of books.endpointsOf(containerId)) await detach(this.#tools, record, { netnsGone: true });
    const path = this.netnsPath(containerId);
    if (!existsSync(path)) return;
    try {
      removeNetns(path);
    } catch (error) {
      log.warn({ path, reason: messageOf(error) }, 'could not remove a network namespace');
    }
  }
}
