/**
 * The transport contract: where images and plugins are fetched from and pushed to. Lives in the engine's process.
 *
 * Vocabulary: a *place* is a repository at a registry, as the engine read it from a reference; a driver parses no references. A *manifest*
 * is small and comes whole; a *blob* is streamed. Every byte that comes in is hostile until its digest matches: the driver checks sizes as it
 * reads, and digests of manifests; the engine hashes every blob that it stores, which nobody need do twice.
 *
 * A pull: resolve() by tag, then fetch() of every blob that the manifest names; a fetch that broke off goes on with `offset`. A push:
 * exists() and upload() for every blob, then putManifest(), which makes the push visible.
 */
import type { ContractMethods, Ctx } from '../types/index.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly urls?: readonly string[];
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
}
export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
  readonly serverAddress?: string;
}
/** A repository at a registry. */
export interface Place {
  /** Host and port, as in a reference: "docker.io", "localhost:5000". */
  readonly host: string;
  /** "library/busybox" */
  readonly repository: string;
  /** Registries may ask for other permissions for plugins; "image" unless given. */
  readonly resource?: 'image' | 'plugin';
  readonly auth?: RegistryAuth | undefined;
}
export interface FoundRepository {
  /** As a user would pull it: "busybox", "reg.example:5000/acme/app". */
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly isOfficial: boolean;
  readonly isAutomated: boolean;
}
export interface TransportDriver {
  /**
   * The manifest that a tag or a digest names, whatever its media type, at most 4 MiB. `not_found`; `unauthorized`; `forbidden`;
   * `unavailable` when the registry cannot be reached; `data_loss` when the bytes are not those of the digest.
   */
  resolve(
    request: Place & {
      /** A tag, or sha256:… */
      readonly reference: string;
    },
    ctx: Ctx,
  ): Promise<{ readonly descriptor: Descriptor; readonly bytes: Buffer }>;
  /**
   * A blob from `offset` on, not hashed. Fails with `data_loss` when there are more bytes than the descriptor says, and with `unavailable` and
   * reason BLOB_INTERRUPTED when there are fewer or none come any more: worth a further call with the offset that was reached. Each chunk is given away: whoever reads may release its memory.
   */
  fetch(request: Place & { readonly descriptor: Descriptor; readonly offset: number }, ctx: Ctx): AsyncIterable<Buffer>;
  /** Whether the repository has the blob. */
  exists(request: Place & { readonly digest: string }, ctx: Ctx): Promise<boolean>;
  /**
   * Stores one blob. There already: stored again, without harm. `content` begins anew each time it is called: an upload that breaks off is
   * tried again. `mountFrom` is another repository of the registry that should have the blob: taken from there, nothing is sent.
   */
  upload(
    request: Place & {
      readonly digest: string;
      readonly size: number;
      readonly content: () => AsyncIterable<Buffer>;
      readonly mountFrom?: string | undefined;
    },
    ctx: Ctx,
  ): Promise<{ readonly mountedFrom?: string | undefined }>;
  /** Stores a manifest under a tag or its digest. Its blobs must be there. */
  putManifest(
    request: Place & { readonly reference: string; readonly mediaType: string; readonly bytes: Buffer },
    ctx: Ctx,
  ): Promise<{ readonly digest: string }>;
  /** All tags of a repository; `not_found` when there is none. Without it users have to name the tag. */
  tags?(request: Place, ctx: Ctx): Promise<{ readonly tags: readonly string[] }>;
  /** Repositories of a registry with the term in their name or description, the best first, at most `limit`. Without it users cannot search. */
  search?(
    request: { readonly host: string; readonly term: string; readonly limit: number; readonly auth?: RegistryAuth | undefined },
    ctx: Ctx,
  ): Promise<{ readonly results: readonly FoundRepository[] }>;
  /** Whether the registry takes these credentials; `unauthorized` when it does not. Nothing is kept. */
  login?(request: { readonly host: string; readonly auth: RegistryAuth }, ctx: Ctx): Promise<void>;
}

export const transportMethods = {
  resolve: { deadline: 'long' },
  fetch: { deadline: 'stream', answer: 'stream' },
  exists: { deadline: 'normal' },
  upload: { deadline: 'long' },
  putManifest: { deadline: 'long' },
  tags: { deadline: 'long' },
  search: { deadline: 'long' },
  login: { deadline: 'normal' },
} as const satisfies ContractMethods<TransportDriver>;
