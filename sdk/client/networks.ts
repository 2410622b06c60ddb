import type { EndpointConfig, Filters, IpamConfig } from '../engine/index.ts';
import { filtersParameter } from './filters.ts';
import { type Http, segment } from './http.ts';
import type { NetworkAnswer, NetworksPruned } from './shapes.ts';

export interface NetworkRequest {
  readonly Name: string;
  readonly Driver?: string;
  readonly Internal?: boolean;
  readonly Attachable?: boolean;
  readonly EnableIPv4?: boolean;
  readonly EnableIPv6?: boolean;
  readonly IPAM?: IpamConfig;
  readonly Options?: Readonly<Record<string, string>>;
  readonly Labels?: Readonly<Record<string, string>>;
}

export class Networks {
  readonly #http: Http;
  constructor(http: Http) {
    this.#http = http;
  }

  async create(request: NetworkRequest): Promise<{ readonly Id: string; readonly Warning?: string }> {
    return await this.#http.json('POST', '/networks/create', { json: request });
  }

  async list({ filters }: { readonly filters?: Filters } = {}): Promise<readonly NetworkAnswer[]> {
    return await this.#http.json('GET', '/networks', { query: { filters: filtersParameter(filters) } });
  }

  async inspect(network: string): Promise<NetworkAnswer> {
    return await this.#http.json('GET', `/networks/${segment(network)}`);
  }

  async connect(network: string, container: string, config: EndpointConfig): Promise<void> {
    await this.#http.done('POST', `/networks/${segment(network)}/connect`, { json: { Container: container, EndpointConfig: config } });
  }

  async disconnect(network: string, container: string, { force }: { readonly force: boolean }): Promise<void> {
    await this.#http.done('POST', `/networks/${segment(network)}/disconnect`, { json: { Container: container, Force: force } });
  }

  async remove(network: string): Promise<void> {
    await this.#http.done('DELETE', `/networks/${segment(network)}`);
  }

  async prune({ filters }: { readonly filters?: Filters } = {}): Promise<NetworksPruned> {
    return await this.#http.json('POST', '/networks/prune', { query: { filters: filtersParameter(filters) } });
  }
}
