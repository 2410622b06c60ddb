/** Images: names, configs, and their ways in and out. */
import type { RegistryAuth } from '../transport/index.ts';
import type { Abortable } from '../types/index.ts';
import type { ImageConfig, ImageHistory } from './config.ts';
import type { Filtered } from './filters.ts';
export interface Image {
  /** sha256:… of the config bytes. */
  readonly id: string;
  readonly parent: string;
  /** Familiar references: "busybox:latest". */
  readonly repoTags: readonly string[];
  /** "busybox@sha256:…" */
  readonly repoDigests: readonly string[];
  readonly created: string;
  readonly sizeBytes: number;
  readonly config: ImageConfig;
  readonly chainIds: readonly string[];
  readonly graphDriver: string;
  readonly graphData: Readonly<Record<string, string>>;
  /** When a tag was last set; RFC 3339 or "". */
  readonly lastTagged: string;
  readonly comment: string;
}
/** What describes an image for one platform. */
export interface ImageManifestSummary {
  /** The image is here as a whole; if not, nothing of it is. */
  readonly isHere: boolean;
  readonly descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number };
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string };
  /** Of its config and its layers, as they are stored. */
  readonly contentBytes: number;
  /** Of the files of its layers. */
  readonly unpackedBytes: number;
  /** Ids of those that were made from it. */
  readonly containers: readonly string[];
}
/** Of what a name means, the image for one platform, as "linux/arm64"; `not_found` when it is not here. */
export interface ForPlatform {
  readonly platform?: string;
}
export interface HistoryEntry extends ImageHistory {
  readonly id: string;
  readonly tags: readonly string[];
  readonly sizeBytes: number;
}
/** Docker's progress messages (jsonmessage), one per line on the wire. */
export interface Progress {
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly stream?: string;
  readonly aux?: unknown;
}
export type OnProgress = (progress: Progress) => void;
export interface DeletedImage {
  readonly untagged?: string;
  readonly deleted?: string;
}
export interface ImportImage {
  readonly tar: AsyncIterable<Buffer>;
  readonly reference?: string;
  readonly message?: string;
  readonly changes: readonly string[];
  readonly platform?: string;
}
export interface RemoteImage {
  /** Of the manifest or index that the tag names. */
  readonly descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number };
  readonly platforms: readonly { readonly os: string; readonly architecture: string; readonly variant?: string }[];
  /** The images of an index, in its order; without one, the image itself. */
  readonly manifests: readonly { readonly digest: string; readonly platform?: string }[];
}
export interface Images {
  list(
    request: Filtered & { readonly all?: boolean; readonly sharedSize?: boolean },
  ): Promise<readonly (Image & { readonly sharedSizeBytes: number; readonly containers: number })[]>;
  /** Without a platform the image that a name prefers: the one for this machine, else the one that came last. */
  inspect(image: string, options?: ForPlatform): Image;
  /** What describes the image to registries and in archives, for each platform of a name; none for one that nothing describes yet. */
  manifests(image: string): readonly ImageManifestSummary[];
  history(image: string, options?: ForPlatform): readonly HistoryEntry[];
  /** A name is given for all platforms. */
  tag(image: string, reference: string): Promise<void>;
  /** One name for images for several platforms. */
  tagAll(images: readonly string[], reference: string): Promise<void>;
  /**
   * With `keepsImage` a name goes and the image stays, though it was its last. With `platforms` only the images for these go, and the names with
   * the last.
   */
  remove(
    image: string,
    options: { readonly force: boolean; readonly prune: boolean; readonly keepsImage?: boolean; readonly platforms?: readonly string[] },
  ): Promise<readonly DeletedImage[]>;
  prune(request: Filtered): Promise<{ readonly deleted: readonly DeletedImage[]; readonly spaceReclaimed: number }>;
  /**
   * A docker-archive and OCI layout in one deterministic tar: the same images give the same bytes. `as`: the names that they have in it,
   * whatever they are called here. A name of several platforms means all that are here, or with `platform` the one for it.
   */
  save(images: readonly string[], options?: { readonly as?: readonly string[] } & ForPlatform & Abortable): Promise<AsyncIterable<Buffer>>;
  /**
   * All the archive's images or none, of an index those whose blobs are there; with a `platform`, as "linux/arm64", those that are for it. Is done with a chunk when it asks for the next, so
   * that its memory may be used again.
   */
  load(
    tar: AsyncIterable<Buffer>,
    options: { readonly onProgress?: OnProgress; readonly platform?: string } & Abortable,
  ): Promise<readonly { readonly id: string; readonly reference?: string; readonly replaced?: string }[]>;
  /** Is done with a chunk when it asks for the next. */
  import(request: ImportImage & Abortable): Promise<{ readonly id: string }>;
  /**
   * Fetches what of the image is not here and names it, all or nothing. `platform` as in "linux/arm64", the machine's own unless given: it comes
   * to those that the name has here, as long as the name means the same index.
   * `not_found`, `unauthorized`, `unavailable` as the registry says; `data_loss` when what comes is not what was promised.
   */
  pull(
    reference: string,
    options: {
      readonly platform?: string;
      /** Of a repository without a tag all that it has, instead of "latest". */
      readonly allTags?: boolean;
      readonly auth?: RegistryAuth;
      readonly onProgress?: OnProgress;
    } & Abortable,
  ): Promise<void>;
  /** What a reference means at its registry now; nothing is fetched but the small documents that say so. */
  inspectRemote(reference: string, options: { readonly auth?: RegistryAuth } & Abortable): Promise<RemoteImage>;
  /**
   * Sends what the registry does not have; a repository without a tag means all its tags. `not_found` for what is not here. `images`: what
   * goes there, whatever the reference means here; several as one index. Without a `platform` all that are here go, and where the registry then has
   * all that the index names, the index as it came.
   */
  push(
    reference: string,
    options: { readonly auth?: RegistryAuth; readonly onProgress?: OnProgress; readonly images?: readonly string[] } & ForPlatform &
      Abortable,
  ): Promise<void>;
}
