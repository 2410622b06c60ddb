import type { Ctx } from '@gantry/sdk';
import type { TransportDriver } from '@gantry/sdk/transport';
import { hasBlob, hashed, readBlob } from './blobs.ts';
import { type ForeignRules, isForeign, readForeign } from './foreign.ts';
import { checkCredentials } from './login.ts';
import { readManifest, storeManifest } from './manifests.ts';
import { Mirrors } from './mirrors.ts';
import { Registry } from './registry.ts';
import type { RegistrySettings } from './settings.ts';
import { searchRepositories } from './search.ts';
import { readTags } from './tags.ts';
import { storeBlob } from './uploads.ts';

type Methods = Required<TransportDriver>;
type Request<Name extends keyof Methods> = Parameters<Methods[Name]>[0];
type Answer<Name extends keyof Methods> = ReturnType<Methods[Name]>;

/** OCI distribution as a transport driver. Disposing closes the connections that are kept. */
export class RegistryDriver implements TransportDriver, Disposable {
  readonly #registry: Registry;
  readonly #mirrors: Mirrors;
  readonly #insecure: readonly string[];
  readonly #foreign: ForeignRules;

  constructor(settings: RegistrySettings) {
    this.#registry = new Registry(settings);
    this.#insecure = settings.insecureRegistries;
    this.#foreign = { allowed: settings.foreignLayers, insecure: settings.insecureRegistries };
    this.#mirrors = new Mirrors(this.#registry, settings);
  }

  resolve(request: Request<'resolve'>, ctx: Ctx): Answer<'resolve'> {
    const { reference, ...place } = request;
    return this.#mirrors.read(place, ctx, (registry, from) => readManifest(registry, { reference, ...from }, ctx.signal));
  }

  fetch(request: Request<'fetch'>, ctx: Ctx): Answer<'fetch'> {
    if (isForeign(request.descriptor)) return readForeign(this.#registry, request, { ...this.#foreign, signal: ctx.signal });
    const { descriptor, offset, ...place } = request;
    return this.#mirrors.stream(place, ctx, (registry, from) => {
      const chunks = readBlob(registry, { descriptor, offset, ...from }, ctx.signal);
      return from.host === place.host ? chunks : hashed(chunks, { descriptor, offset });
    });
  }

  exists(request: Request<'exists'>, { signal }: Ctx): Answer<'exists'> {
    return hasBlob(this.#registry, request, signal);
  }

  upload(request: Request<'upload'>, { signal }: Ctx): Answer<'upload'> {
    return storeBlob(this.#registry, request, signal);
  }

  putManifest(request: Request<'putManifest'>, { signal }: Ctx): Answer<'putManifest'> {
    return storeManifest(this.#registry, request, signal);
  }

  async tags(place: Request<'tags'>, ctx: Ctx): Answer<'tags'> {
    return { tags: await this.#mirrors.read(place, ctx, (registry, from) => readTags(registry, from, ctx.signal)) };
  }

  async search(request: Request<'search'>, { signal }: Ctx): Answer<'search'> {
    return { results: await searchRepositories(this.#registry, request, { signal, insecure: this.#insecure }) };
  }

  login(request: Request<'login'>, { signal }: Ctx): Answer<'login'> {
    return checkCredentials(this.#registry, request, signal);
  }

  [Symbol.dispose](): void {
    this.#mirrors[Symbol.dispose]();
    this.#registry[Symbol.dispose]();
  }
}
