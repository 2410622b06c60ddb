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

const own = '/gantry/v1/volumes';

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

  /** Answers the volume under its new name. */
  async rename(volume: string, name: string): Promise<VolumeAnswer> {
    return await this.#http.json('POST', `${own}/${segment(volume)}/rename`, { json: { Name: name } });
  }

  /** Sets how many bytes it can hold. */
  async resize(volume: string, bytes: number): Promise<void> {
    await this.#http.done('POST', `${own}/${segment(volume)}/resize`, { json: { Bytes: bytes } });
  }

  async clone(volume: string, request: Omit<VolumeRequest, 'Driver'>): Promise<VolumeAnswer> {
    return await this.#http.json('POST', `${own}/${segment(volume)}/clone`, { json: request });
  }

  /** Nobody can write to it. */
  async snapshot(volume: string, request: Pick<VolumeRequest, 'Name' | 'Labels'>): Promise<VolumeAnswer> {
    return await this.#http.json('POST', `${own}/${segment(volume)}/snapshot`, { json: request });
  }

  async prune({ filters }: { readonly filters?: Filters } = {}): Promise<VolumesPruned> {
    return await this.#http.json('POST', '/volumes/prune', { query: { filters: filtersParameter(filters) } });
  }
}
