import type { Filters } from '../engine/index.ts';
import { filtersParameter } from './filters.ts';
import { type Http, segment } from './http.ts';
import type { VolumeAnswer, VolumesPruned } from './shapes.ts';

export interface VolumeRequest {
  readonly Name?: string;
  readonly Driver?: string;
  readonly DriverOpts?: Readonly<Record<string, string>>;
  readonly Labels?: Readonly<Record<string, string>>;
}

export class Volumes {
  readonly #http: Http;
  constructor(http: Http) {
    this.#http = http;
  }

  async create(request: VolumeRequest): Promise<VolumeAnswer> {
    return await this.#http.json('POST', '/volumes/create', { json: request });
  }

  async list({
    filters,
  }: {
    readonly filters?: Filters;
  } = {}): Promise<{ readonly Volumes: readonly VolumeAnswer[] | null; readonly Warnings: readonly string[] | null }> {
    return await this.#http.json('GET', '/volumes', { query: { filters: filtersParameter(filters) } });
  }

  async inspect(volume: string): Promise<VolumeAnswer> {
    return await this.#http.json('GET', `/volumes/${segment(volume)}`);
  }

  async remove(volume: string, { force }: { readonly force?: boolean } = {}): Promise<void> {
    await this.#http.done('DELETE', `/volumes/${segment(volume)}`, { query: { force } });
  }

  async prune({ filters }: { readonly filters?: Filters } = {}): Promise<VolumesPruned> {
    return await this.#http.json('POST', '/volumes/prune', { query: { filters: filtersParameter(filters) } });
  }
}
