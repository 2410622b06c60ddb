import { Records } from '../author/records.ts';
import { notFound, notImplemented } from '../errors.ts';
import type { EndpointPlan, Network, NetworkDriver, NetworkPlan } from '../network/index.ts';
import type { HostContext, StateStore } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import { type Body, given } from './body.ts';
import type { Methods } from './http.ts';
import { checkEndpoint, endpointOf, interfaceOf, joinAnswer, networkOf } from './network-words.ts';
import { PlannedLinks } from './planned-links.ts';
import { checkRules, PlannedRules } from './planned-rules.ts';
import { checkPortsFree, portsOf, type PublishedPort } from './ports.ts';

interface EndpointRecord {
  readonly networkId: string;
  readonly attachmentId: string;
  readonly plan: EndpointPlan;
  readonly ports?: readonly PublishedPort[];
}

export interface NetworkFrontOptions {
  readonly driver: NetworkDriver;
  /** The front's own, not the plugin's. */
  readonly state: StateStore;
  readonly host: Pick<HostContext, 'name' | 'log'>;
  readonly ctx: (signal: AbortSignal) => Ctx;
}

/**
 * `NetworkDriver.*` over a driver that plans: the front makes the links in the machine's namespace and Docker moves a container's into it. Refuses what
 * Docker's protocol has no words for (neighbours, rules) by name. Links of networks are made again, and ports published, at the start, after a reboot.
 */
export class NetworkFront implements Disposable {
  readonly #options: NetworkFrontOptions;
  readonly #networks: Records<NetworkPlan>;
  readonly #endpoints: Records<EndpointRecord>;
  readonly #links: PlannedLinks;
  readonly #rules: PlannedRules;

  /** `not_implemented` for a driver whose containers have no network of their own. */
  constructor(options: NetworkFrontOptions) {
    const { driver, state, host } = options;
    if (driver.namespace !== 'own')
      throw notImplemented(`containers on the networks of plugin ${host.name} have no network of their own, and in Docker all have one`);
    this.#options = options;
    this.#networks = new Records(state, 'network/');
    this.#endpoints = new Records(state, 'endpoint/');
    this.#links = new PlannedLinks(host.log);
    this.#rules = new PlannedRules(host.name);
  }

  readonly methods: Methods = {
    'NetworkDriver.GetCapabilities': async () => ({ Scope: 'local', ConnectivityScope: 'local' }),
    'NetworkDriver.CreateNetwork': (body, signal) => this.#createNetwork(networkOf(body), signal),
    'NetworkDriver.DeleteNetwork': (body, signal) => this.#deleteNetwork(given(body, 'NetworkID'), signal),
    'NetworkDriver.CreateEndpoint': async (body, signal) => this.#createEndpoint(body, signal),
    'NetworkDriver.EndpointOperInfo': async () => ({ Value: {} }),
    'NetworkDriver.Join': async (body) => {
      const { plan } = await this.#endpoint(given(body, 'EndpointID'));
      return joinAnswer(plan, this.#links.makeEndpoint(given(body, 'EndpointID'), plan));
    },
    'NetworkDriver.Leave': async (body) => {
      await this.#publish(given(body, 'EndpointID'), []);
      await this.#links.removeEndpoint(given(body, 'EndpointID'));
    },
    'NetworkDriver.DeleteEndpoint': (body, signal) => this.#deleteEndpoint(given(body, 'EndpointID'), signal),
    'NetworkDriver.ProgramExternalConnectivity': async (body) => this.#publish(given(body, 'EndpointID'), portsOf(body)),
    'NetworkDriver.RevokeExternalConnectivity': (body) => this.#publish(given(body, 'EndpointID'), []),
    'NetworkDriver.DiscoverNew': async () => {},
    'NetworkDriver.DiscoverDelete': async () => {},
  };

  async recover(): Promise<void> {
    for (const { value: plan } of await this.#networks.list()) this.#links.makeNetwork(plan);
    await this.#setRules();
  }

  [Symbol.dispose](): void {
    this.#links[Symbol.dispose]();
  }

  async #createNetwork(network: Network, signal: AbortSignal): Promise<void> {
    const { driver, ctx } = this.#options;
    const plan = await driver.createNetwork({ network }, ctx(signal));
    await this.#networks.update(network.id, () => plan);
    try {
      checkRules(plan);
      this.#links.makeNetwork(plan);
      await this.#setRules();
    } catch (error) {
      await this.#deleteNetwork(network.id, AbortSignal.timeout(undoMs));
      throw error;
    }
  }

  async #deleteNetwork(id: string, signal: AbortSignal): Promise<void> {
    const plan = await this.#networks.get(id);
    if (plan === undefined) return;
    const { driver, ctx } = this.#options;
    await this.#links.removeNetwork(plan);
    await driver.removeNetwork({ network: plan.network, ...contextOf(plan) }, ctx(signal));
    await this.#networks.remove(id);
    await this.#setRules();
  }

  async #createEndpoint(body: Body, signal: AbortSignal): Promise<Body> {
    const { driver, ctx } = this.#options;
    const endpoint = endpointOf(body);
    const planned = await this.#network(given(body, 'NetworkID'));
    const { context: networkContext } = planned;
    const request = { network: planned.network, endpoint, ...(networkContext === undefined ? {} : { networkContext }) };
    const plan = await driver.attach(request, ctx(signal));
    const record = { networkId: planned.network.id, attachmentId: endpoint.attachmentId, plan };
    await this.#endpoints.update(given(body, 'EndpointID'), () => record);
    try {
      checkEndpoint(plan);
    } catch (error) {
      await this.#deleteEndpoint(given(body, 'EndpointID'), AbortSignal.timeout(undoMs));
      throw error;
    }
    return { Interface: interfaceOf(plan, endpoint) };
  }

  async #deleteEndpoint(id: string, signal: AbortSignal): Promise<void> {
    const record = await this.#endpoints.get(id);
    if (record === undefined) return;
    const { driver, ctx } = this.#options;
    const { network } = await this.#network(record.networkId);
    await this.#links.removeEndpoint(id);
    const request = { network, attachmentId: record.attachmentId, netnsGone: false, ...contextOf(record.plan) };
    await driver.detach(request, ctx(signal));
    await this.#endpoints.remove(id);
    if (record.ports !== undefined) await this.#setRules();
  }

  /** In the place of what was published before; without any the rules are as if there never were. */
  async #publish(id: string, ports: readonly PublishedPort[]): Promise<void> {
    const record = await this.#endpoints.get(id);
    if (record === undefined && ports.length === 0) return;
    const { ports: before = [], ...kept } = record ?? missing('endpoint', id);
    if (ports.length + before.length === 0) return;
    if (ports.length > 0 && !kept.plan.publishable)
      throw notImplemented("ports of containers on this network cannot be published: its driver's plan says so", {
        hint: 'leave out -p, and reach the container by its address',
      });
    const others = (await this.#endpoints.list()).flatMap(({ id: other, value }) => (other === id ? [] : (value.ports ?? [])));
    await checkPortsFree(ports, others);
    await this.#endpoints.update(id, () => (ports.length === 0 ? kept : { ...kept, ports }));
    await this.#setRules();
  }

  async #network(id: string): Promise<NetworkPlan> {
    return (await this.#networks.get(id)) ?? missing('network', id);
  }

  async #endpoint(id: string): Promise<EndpointRecord> {
    return (await this.#endpoints.get(id)) ?? missing('endpoint', id);
  }

  async #setRules(): Promise<void> {
    const [networks, endpoints] = await Promise.all([this.#networks.list(), this.#endpoints.list()]);
    this.#rules.set(
      networks.map(({ value }) => value),
      endpoints.map(({ value }) => value),
    );
  }
}

const undoMs = 10_000;

function contextOf({ context }: NetworkPlan | EndpointPlan): { readonly context?: Readonly<Record<string, string>> } {
  return context === undefined ? {} : { context };
}

function missing(what: string, id: string): never {
  throw notFound(`${what} ${id} not found`);
}
