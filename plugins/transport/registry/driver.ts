import type { Ctx } from '@gantry/sdk';
import type { TransportDriver } from '@gantry/sdk/transport';
import { hasBlob, readBlob, storeBlob } from './blobs.ts';
import { checkCredentials } from './login.ts';
import { readManifest, storeManifest } from './manifests.ts';
import { Registry } from './registry.ts';
import type { RegistrySettings } from './settings.ts';
import { readTags } from './tags.ts';

type Methods = Required<TransportDriver>;
type Request<Name extends keyof Methods> = Parameters<Methods[Name]>[0];
type Answer<Name extends keyof Methods> = ReturnType<Methods[Name]>;

/** OCI distribution as a transport driver. Disposing closes the connections that are kept. */
export class RegistryDriver implements TransportDriver, Disposable {
  readonly #registry: Registry;

  constructor(settings: RegistrySettings) {
    this.#registry = new Registry(settings);
  }

  resolve(request: Request<'resolve'>, { signal }: Ctx): Answer<'resolve'> {
    return readManifest(this.#registry, request, signal);
  }

  fetch(request: Request<'fetch'>, { signal }: Ctx): Answer<'fetch'> {
    return readBlob(this.#registry, request, signal);
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

  async tags(request: Request<'tags'>, { signal }: Ctx): Answer<'tags'> {
    return { tags: await readTags(this.#registry, request, signal) };
  }

  login(request: Request<'login'>, { signal }: Ctx): Answer<'login'> {
    return checkCredentials(this.#registry, request, signal);
  }

  [Symbol.dispose](): void {
    this.#registry[Symbol.dispose]();
  }
}
