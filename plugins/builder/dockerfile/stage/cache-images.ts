import { GantryError, messageOf } from '@gantry/sdk';
import type { Image } from '@gantry/sdk/engine';
import type { DockerfileRequest } from '../job.ts';
import { hostPlatform } from '../platforms.ts';
import { findImage, isFor, loginFor } from './base-image.ts';

/** Images whose steps whoever builds trusts: those that are here first, those at registries when the first ones do not help. */
export class CacheImages implements AsyncDisposable {
  readonly #request: DockerfileRequest;
  readonly #signal: AbortSignal;
  #fetched: Promise<readonly Image[]> | undefined;
  /** Names that are here for this build alone. */
  readonly #borrowed: string[] = [];
  /** Images that stay, without that name, since they are what was built. */
  readonly #kept = new Set<string>();

  constructor(request: DockerfileRequest, signal: AbortSignal) {
    this.#request = request;
    this.#signal = signal;
  }

  get areNone(): boolean {
    return this.#request.cacheFrom.length === 0 && (this.#request.cacheFromRegistry ?? []).length === 0;
  }

  async *all(): AsyncIterable<Image> {
    const { engine, cacheFrom } = this.#request;
    for (const name of cacheFrom) {
      const image = findImage(engine.images, name);
      if (image !== undefined) yield image;
    }
    yield* await (this.#fetched ??= this.#fetch());
  }

  keep(imageId: string): void {
    this.#kept.add(imageId);
  }

  async #fetch(): Promise<readonly Image[]> {
    const { cacheFromRegistry = [], onEvent } = this.#request;
    const found: Image[] = [];
    for (const reference of cacheFromRegistry) {
      try {
        found.push(...(await this.#imagesOf(reference)));
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!GantryError.is(error)) throw error;
        onEvent({ kind: 'warning', text: `[Warning] cache ${reference} is not used: ${messageOf(error)}` });
      }
    }
    return found;
  }

  /** By digest, so that no name that is here changes what it means. */
  async #imagesOf(reference: string): Promise<readonly Image[]> {
    const { images } = this.#request.engine;
    const auth = await loginFor(this.#request, reference);
    const options = { signal: this.#signal, ...(auth === undefined ? {} : { auth }) };
    const { manifests } = await images.inspectRemote(reference, options);
    const found: Image[] = [];
    for (const { digest, platform } of manifests) {
      if (!this.#isWanted(platform)) continue;
      const name = `${reference.replace(/(?::[^/:@]+)?(?:@.*)?$/, '')}@${digest}`;
      if (findImage(images, name) === undefined) {
        await images.pull(name, options);
        this.#borrowed.push(name);
      }
      found.push(images.inspect(name));
    }
    return found;
  }

  #isWanted(platform: string | undefined): boolean {
    const [os, architecture, variant] = (platform ?? '').split('/');
    return platform === undefined || isFor({ os, architecture, variant }, this.#request.platform || hostPlatform());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fetched?.catch(() => undefined);
    const { images } = this.#request.engine;
    for (const name of this.#borrowed) {
      const image = findImage(images, name);
      if (image === undefined) continue;
      try {
        await images.remove(name, { force: false, prune: false, keepsImage: this.#kept.has(image.id) });
      } catch (error) {
        // Something stands on it: then it stays as what it is.
        if (!GantryError.is(error)) throw error;
      }
    }
  }
}
