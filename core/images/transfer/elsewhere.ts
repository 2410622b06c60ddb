import type { Place } from '@gantry/sdk/transport';
import { parseManifest } from '../archive/oci-manifest.ts';
import { parseReference } from '../reference.ts';
import type { ImageStore } from '../store.ts';

/** Which other repositories of a registry have a blob, by the manifests that images have there. Looked up when first asked. */
export class Elsewhere {
  readonly #store: ImageStore;
  readonly #place: Place;
  #repositories: ReadonlyMap<string, string> | undefined;

  constructor(store: ImageStore, place: Place) {
    this.#store = store;
    this.#place = place;
  }

  /** One of them; who may not read it, or no longer finds it there, is not harmed. */
  of(digest: string): string | undefined {
    this.#repositories ??= this.#find();
    return this.#repositories.get(digest);
  }

  #find(): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const { id } of this.#store.all()) {
      const repository = this.#repositoryOf(id);
      if (repository === undefined) continue;
      const layers = this.#store.manifestsOf(id).flatMap(({ bytes, digest }) => parseManifest(bytes, `manifest ${digest}`).layers);
      for (const { digest } of layers) found.set(digest, repository);
    }
    return found;
  }

  /** Where the image is known by its digest: it was there once. */
  #repositoryOf(id: string): string | undefined {
    const { host, repository } = this.#place;
    return this.#store
      .referencesOf(id)
      .map(parseReference)
      .find(({ domain, path, digest }) => digest !== undefined && domain === host && path !== repository)?.path;
  }
}
