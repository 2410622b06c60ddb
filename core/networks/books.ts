import { invalidArgument, notFound } from '@gantry/sdk';
import type { CreateNetwork } from '@gantry/sdk/engine';
import { type Database, type NetworkIntent, NetworkRows } from '../metadata/index.ts';
import type { CniLeftover, EndpointDocument, EndpointRecord, NetworkDocument, NetworkRecord } from './documents.ts';

/** Networks and endpoints: written to the store first, answered from memory. */
export class NetworkBooks {
  readonly #rows: NetworkRows<NetworkDocument, EndpointDocument>;
  readonly #networks = new Map<string, NetworkRecord>();
  readonly #endpoints = new Map<string, Map<string, EndpointRecord>>();
  readonly #leaving = new Set<string>();
  #endpointRevision = 0;

  constructor(database: Database) {
    this.#rows = new NetworkRows(database);
    for (const network of this.#rows.networks()) this.#networks.set(network.id, network);
    for (const endpoint of this.#rows.endpoints()) this.#remember(endpoint);
    for (const { kind, id } of this.#rows.intents()) if (kind === 'network.remove') this.#leaving.add(id);
  }

  /** Grows with every change of an endpoint: what is derived from them is good while it stays. */
  get endpointRevision(): number {
    return this.#endpointRevision;
  }

  get networks(): readonly NetworkRecord[] {
    return [...this.#networks.values()];
  }

  get endpoints(): readonly EndpointRecord[] {
    return [...this.#endpoints.values()].flatMap((ofContainer) => [...ofContainer.values()]);
  }

  /** By id, name, or unique prefix of an id, in this order, as Docker does. */
  find(wanted: string): NetworkRecord {
    const found = this.#networks.get(wanted) ?? this.named(wanted);
    if (found !== undefined) return found;
    const matches = wanted === '' ? [] : this.networks.filter(({ id }) => id.startsWith(wanted));
    if (matches.length > 1) throw invalidArgument(`network ${wanted} is ambiguous (${matches.length} matches found on ID prefix)`);
    if (matches[0] === undefined) throw notFound(`network ${wanted} not found`);
    return matches[0];
  }

  byId(id: string): NetworkRecord | undefined {
    return this.#networks.get(id);
  }

  named(name: string): NetworkRecord | undefined {
    return this.networks.find((network) => network.name === name);
  }

  putNetwork(network: NetworkRecord): void {
    this.#rows.putNetwork(network);
    this.#networks.set(network.id, network);
  }

  removeNetwork(id: string): void {
    this.#rows.removeNetwork(id);
    this.#networks.delete(id);
    this.#leaving.delete(id);
    for (const ofContainer of this.#endpoints.values()) ofContainer.delete(id);
  }

  /** What an earlier process began and did not end, or this one is at. */
  get intents(): readonly NetworkIntent[] {
    return this.#rows.intents();
  }

  /** Before anybody is asked for what the network needs: `putNetwork` ends it, and so does `forgetIntent`. */
  intendNetwork(id: string, request: CreateNetwork): void {
    this.#rows.intend({ kind: 'network.create', id, document: request });
  }

  /** From now on no container joins it; when it resolves the disk knows that it is to go. `removeNetwork` ends it, and so does `forgetIntent`. */
  async intendRemoval(id: string): Promise<void> {
    const lasting = this.#rows.intendLasting({ kind: 'network.remove', id, document: {} });
    this.#leaving.add(id);
    await lasting;
  }

  /** What CNI plugins did not take back of an endpoint that is gone from these books: it is asked for again, until `forgetIntent`. */
  leaveBehind(endpointId: string, leftover: CniLeftover): void {
    this.#rows.intend({ kind: 'network.cni.del', id: endpointId, document: leftover });
  }

  get leftBehind(): readonly (CniLeftover & { readonly endpointId: string })[] {
    const left = this.#rows.intents().filter(({ kind }) => kind === 'network.cni.del');
    return left.map(({ id, document }) => ({ ...(document as CniLeftover), endpointId: id }));
  }

  forgetIntent(id: string): void {
    this.#rows.forgetIntent(id);
    this.#leaving.delete(id);
  }

  isLeaving(id: string): boolean {
    return this.#leaving.has(id);
  }

  endpointsOf(containerId: string): readonly EndpointRecord[] {
    return [...(this.#endpoints.get(containerId)?.values() ?? [])];
  }

  endpointsOn(networkId: string): readonly EndpointRecord[] {
    return this.endpoints.filter((endpoint) => endpoint.networkId === networkId);
  }

  endpoint(containerId: string, networkId: string): EndpointRecord | undefined {
    return this.#endpoints.get(containerId)?.get(networkId);
  }

  putEndpoints(endpoints: readonly EndpointRecord[]): void {
    this.#rows.putEndpoints(endpoints);
    for (const endpoint of endpoints) this.#remember(endpoint);
  }

  /** As `putEndpoints`, and no power cut takes it: for what lasts elsewhere, too. */
  putLastingEndpoint(endpoint: EndpointRecord): void {
    this.#rows.putLastingEndpoint(endpoint);
    this.#remember(endpoint);
  }

  removeEndpoint(containerId: string, networkId: string): void {
    this.#rows.removeEndpoint(containerId, networkId);
    this.#endpointRevision += 1;
    const ofContainer = this.#endpoints.get(containerId);
    ofContainer?.delete(networkId);
    if (ofContainer?.size === 0) this.#endpoints.delete(containerId);
  }

  #remember(endpoint: EndpointRecord): void {
    this.#endpointRevision += 1;
    const ofContainer = this.#endpoints.get(endpoint.containerId) ?? new Map<string, EndpointRecord>();
    this.#endpoints.set(endpoint.containerId, ofContainer.set(endpoint.networkId, endpoint));
  }
}
