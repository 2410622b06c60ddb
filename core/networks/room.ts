import { forbidden, type Logger, messageOf } from '@gantry/sdk';
import type { CreateNetwork, EndpointConfig, EndpointInfo, Filtered, NetworkInfo, Networks, PublishedPorts } from '@gantry/sdk/engine';
import { formatLogTime } from '@gantry/sdk/log';
import type { Drivers } from '../drivers/index.ts';
import type { EventBus } from '../events/index.ts';
import { needsRules, NetworkExecutor, rulesOf } from '../execute/index.ts';
import type { Database } from '../metadata/index.ts';
import { type Abortable, KeyedMutex } from '../support/index.ts';
import { namesOf } from './endpoints/attachments.ts';
import { NetworkBooks } from './books.ts';
import { checkUnused, createConfigOnly } from './life/config-only.ts';
import { connect, disconnect } from './endpoints/connect.ts';
import { checkCreateNetwork, createNetwork } from './life/create-network.ts';
import { checkDefaults, type NetworkDefaults } from './defaults.ts';
import { DnsServers } from './dns/index.ts';
import type { NetworkRecord } from './documents.ts';
import { endpointInfo, idleEndpointInfo } from './endpoints/endpoint-info.ts';
import { Mapper } from './ports/mapper/index.ts';
import { networkInfo, networkMatcher, pruneMatcher } from './life/network-info.ts';
import { PortBooks } from './ports/port-books.ts';
import { isAsWished, predefinedNetworks } from './life/predefined.ts';
import { kernelPorts, mappingsOf } from './ports/mapped-ports.ts';
import { publishedPorts } from './ports/published-ports.ts';
import { removeNetwork } from './life/remove-network.ts';
import { Sandboxes, type SandboxTools } from './endpoints/sandboxes.ts';
import { readStatistics } from './endpoints/statistics.ts';
import { collectAll, whyNotReady } from './repair/cni-leftovers.ts';
import { sweep } from './repair/sweep.ts';
import type { ContainerNetworks, NetworkedContainer, NetworkUsers, Sandbox } from './types.ts';
import { finishNetworks } from './life/unfinished.ts';
import { Watch } from './repair/watch.ts';
import { checkWishes, wishedNetworks } from './endpoints/wishes.ts';

export interface NetworksRoomOptions {
  readonly database: Database;
  readonly drivers: Drivers;
  readonly events: EventBus;
  /** Where network namespaces are pinned: below `netns/`. */
  readonly execRoot: string;
  readonly log: Logger;
  readonly users: () => NetworkUsers;
  readonly defaults?: NetworkDefaults;
}

/**
 * Networks, and the network side of containers. Opening it reads the books and touches nothing; `start` makes the records of the networks
 * that every engine has, without anything in the kernel: the default bridge comes with its first container.
 */
export class NetworksRoom implements Networks, ContainerNetworks, AsyncDisposable {
  readonly #tools: SandboxTools;
  readonly #sandboxes: Sandboxes;
  #isClosed = false;
  readonly #watch: Watch;
  readonly #mutex = new KeyedMutex();
  #ready: Promise<void> | undefined;
  /** What an earlier process left is ended: until then its pools are taken. */
  #finished: Promise<void> = Promise.resolve();
  #collected: Promise<void> = Promise.resolve();

  constructor({ database, drivers, events, execRoot, log, users, defaults = {} }: NetworksRoomOptions) {
    checkDefaults(defaults);
    const books = new NetworkBooks(database);
    const shared = { books, drivers, events, execRoot, log, users, defaults, collecting: new Map<string, Promise<void>>() };
    const executor = new NetworkExecutor(log);
    const ports = new PortBooks((owner) => books.endpointsOf(owner)[0]?.document.containerName);
    this.#tools = {
      ...shared,
      executor,
      now,
      ports,
      mapper: new Mapper({ log, ownThread: defaults.userlandProxy === true }),
      dns: new DnsServers({ books, log, defaults }),
    };
    this.#sandboxes = new Sandboxes(this.#tools);
    this.#watch = new Watch(this.#tools, this.#sandboxes);
    this.#remember();
  }

  /** Resolves when the predefined networks are there, which only the first start of a data root has to make; a failure is logged, and tried again later. */
  async start(): Promise<void> {
    this.#watch.start();
    this.#finished = finishNetworks(this.#tools, this.#mutex);
    try {
      await this.ready;
    } catch (error) {
      this.#tools.log.error({ reason: messageOf(error) }, 'could not make the predefined networks');
    }
  }

  /** The predefined networks are there; every asynchronous call waits for it. After a failure the next call tries again. */
  get ready(): Promise<void> {
    this.#ready ??= this.#makePredefined().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async create(request: CreateNetwork): Promise<{ readonly id: string; readonly warning: string }> {
    checkCreateNetwork(request);
    await this.ready;
    await this.#finished;
    using _held = await this.#mutex.acquire(request.name);
    const { id, name, document } =
      request.configOnly === true ? createConfigOnly(this.#tools, request) : await createNetwork(this.#tools, request);
    this.#tools.events.publish('network', 'create', id, { name, type: document.driver });
    setImmediate(() => this.#makeAhead(id));
    return { id, warning: (await whyNotReady(this.#tools, { id, name, document })) ?? '' };
  }

  /** Whoever made a network may look for its bridge, and its first container need not wait for it. What fails is told to that container. */
  #makeAhead(id: string): void {
    const { books, executor, log } = this.#tools;
    const network = books.byId(id);
    if (this.#isClosed || network === undefined || books.isLeaving(id)) return;
    try {
      executor.ensureNetwork(network.document.plan);
    } catch (error) {
      log.debug({ network: network.name, reason: messageOf(error) }, 'a network could not be made ahead of its first container');
    }
  }

  inspect(network: string): NetworkInfo {
    return networkInfo(this.#tools.books.find(network), this.#tools.books);
  }

  list({ filters = {} }: Filtered): readonly NetworkInfo[] {
    const matches = networkMatcher(filters, (network) => this.#isUsed(network));
    return this.#tools.books.networks.filter(matches).map((network) => networkInfo(network, this.#tools.books));
  }

  async connect(network: string, container: string, config: EndpointConfig): Promise<void> {
    await this.ready;
    return connect(this.#tools, this.#sandboxes, { network, container, config });
  }

  disconnect(network: string, container: string, { force }: { readonly force: boolean }): Promise<void> {
    return disconnect(this.#tools, this.#sandboxes, { network, container, force });
  }

  async remove(wanted: string): Promise<void> {
    const { name } = this.#tools.books.find(wanted);
    using _held = await this.#mutex.acquire(name);
    const network = this.#tools.books.find(wanted);
    if (network.document.isPredefined) throw forbidden(`${name} is a pre-defined network and cannot be removed`);
    checkUnused(this.#tools, network);
    const [user] = this.#tools.books.endpointsOn(network.id);
    if (user !== undefined) {
      const { containerName, endpointId } = user.document;
      throw forbidden(
        `error while removing network: network ${name} has active endpoints (name:${JSON.stringify(containerName)} id:${JSON.stringify(endpointId.slice(0, 12))})`,
      );
    }
    await removeNetwork(this.#tools, network);
  }

  async prune({ filters = {} }: Filtered): Promise<{ readonly deleted: readonly string[] }> {
    const matches = pruneMatcher(filters, Date.now());
    const deleted: string[] = [];
    for (const network of this.#tools.books.networks) {
      if (!matches(network) || this.#isUsed(network)) continue;
      using _held = await this.#mutex.acquire(network.name);
      if (this.#tools.books.byId(network.id) === undefined || this.#isUsed(network)) continue;
      await removeNetwork(this.#tools, network);
      deleted.push(network.name);
    }
    return { deleted };
  }

  validate(container: Pick<NetworkedContainer, 'name' | 'config' | 'hostConfig' | 'networks'>): NetworkedContainer['networks'] {
    checkWishes(container);
    return Object.fromEntries(wishedNetworks(container));
  }

  async setup(container: NetworkedContainer, options: Partial<Abortable> = {}): Promise<Sandbox> {
    await this.ready;
    return this.#sandboxes.setup(container, options);
  }

  publish(container: NetworkedContainer): Promise<boolean> {
    return this.#sandboxes.publish(container);
  }

  teardown(containerId: string): Promise<void> {
    return this.#sandboxes.teardown(containerId);
  }

  adopt(container: NetworkedContainer): Promise<Sandbox> {
    return this.#sandboxes.adopt(container);
  }

  /** After the adoptions at start: takes away what the kernel, the books and the drivers have of containers that are not among these. */
  async sweep(runningIds: ReadonlySet<string>): Promise<void> {
    await sweep(this.#tools, this.#sandboxes, runningIds);
    this.#collected = collectAll(this.#tools).catch((error: unknown) => {
      this.#tools.log.warn({ reason: messageOf(error) }, 'could not have CNI plugins take back what nobody has');
    });
  }

  /** Resolves when CNI plugins have been told, after `sweep`, which endpoints there are; nobody who is added waits for it but on the same network. */
  get collected(): Promise<void> {
    return this.#collected;
  }

  renamed(containerId: string, name: string): void {
    const { books, users } = this.#tools;
    const container = { ...users().find(containerId), name };
    books.putEndpoints(
      books.endpointsOf(containerId).map((record) => ({
        ...record,
        document: { ...record.document, containerName: name, names: namesOf(container, record.document.config) },
      })),
    );
  }

  endpoints(container: Pick<NetworkedContainer, 'id' | 'hostConfig' | 'networks'>): readonly EndpointInfo[] {
    const { books } = this.#tools;
    const running = books.endpointsOf(container.id);
    if (running.length > 0) return running.map((record) => endpointInfo(record, books));
    return wishedNetworks(container).map(([name, config]) => idleEndpointInfo(name, config, books));
  }

  ports({ id, ...container }: Pick<NetworkedContainer, 'id' | 'config' | 'hostConfig'>): PublishedPorts {
    return publishedPorts(container, this.#tools.books.endpointsOf(id));
  }

  statistics(containerId: string): ReturnType<ContainerNetworks['statistics']> {
    return readStatistics(this.#tools.books.endpointsOf(containerId));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#watch[Symbol.dispose]();
    this.#tools.dns.closeAll();
    await this.#tools.mapper[Symbol.asyncDispose]();
    for (const { containerId } of this.#tools.books.endpoints) this.#tools.ports.release(containerId);
    this.#tools.executor[Symbol.dispose]();
  }

  async #makePredefined(): Promise<void> {
    const { books, defaults } = this.#tools;
    for (const wanted of predefinedNetworks(defaults)) {
      const existing = books.named(wanted.name);
      if (existing !== undefined && (isAsWished(existing, wanted) || !(await this.#makeWay(existing)))) continue;
      await this.#finished;
      await createNetwork(this.#tools, wanted, { isPredefined: true });
    }
  }

  /** Takes away a predefined network that was made with other settings; containers on it keep it until they are gone. */
  async #makeWay(existing: NetworkRecord): Promise<boolean> {
    const { books, log } = this.#tools;
    if (books.endpointsOn(existing.id).length > 0) {
      log.warn(
        { network: existing.name },
        'its settings were changed, but containers run on it: they count from the next start without any',
      );
      return false;
    }
    await removeNetwork(this.#tools, existing);
    return true;
  }

  /** In use by a container, running or not. */
  #isUsed({ id, name }: NetworkRecord): boolean {
    return this.#tools.books.endpointsOn(id).length > 0 || this.#tools.users().usersOf(id, name).length > 0;
  }

  /** What an earlier process left in the kernel is in the table from the first change on. */
  #remember(): void {
    const { books, executor } = this.#tools;
    const used = books.networks.filter(
      ({ id, document }) => document.configOnly !== true && (!document.isPredefined || books.endpointsOn(id).length > 0),
    );
    executor.firewall.remember({
      networks: new Map(used.filter(({ document }) => needsRules(document.plan)).map(({ id, document }) => [id, rulesOf(document.plan)])),
      ports: new Map(
        books.endpoints.flatMap((record) =>
          record.document.ports.length === 0 ? [] : [[record.containerId, kernelPorts(this.#tools, mappingsOf(record, books))] as const],
        ),
      ),
    });
  }
}

function now(): string {
  const milliseconds = performance.timeOrigin + performance.now();
  const seconds = Math.floor(milliseconds / 1e3);
  return formatLogTime({ seconds, nanos: Math.floor((milliseconds - seconds * 1e3) * 1e6) });
}
