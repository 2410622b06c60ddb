import { notFound } from '@gantry/sdk';
import type { Image, ImageConfig, Images } from '@gantry/sdk/engine';
import type { LayerSource, Rootfs, ShowOptions } from '../layers/index.ts';
import { KeyedMutex } from '../support/index.ts';
import { commitImage } from './commit.ts';
import { type Creation, createImage, layerSourceOf } from './create.ts';
import { diskUsage } from './disk-usage.ts';
import { importImage } from './import.ts';
import { listImages } from './list.ts';
import { loadImages } from './load.ts';
import { manifestsOf } from './manifests.ts';
import { parsePlatform } from './platform.ts';
import { pruneImages } from './prune.ts';
import { removeImage } from './remove.ts';
import { keepSwept } from './retention.ts';
import { type SaveOptions, saveImages } from './save.ts';
import { ImageStore } from './store.ts';
import { tagImage, tagImages } from './tag.ts';
import { Downloads } from './transfer/downloads.ts';
import { inspectRemote } from './transfer/inspect-remote.ts';
import { pullImages } from './transfer/pull.ts';
import { pushImage } from './transfer/push.ts';
import { canonicalText } from './reference.ts';
import { resolveFor } from './resolve.ts';
import type { CommitImage, ImagesOptions, Parts } from './types.ts';
import { type ImageRetention, removeUnused } from './unused.ts';
import { chainOf, historyOf, tagsOf, viewImage } from './view.ts';

interface Platformed {
  readonly platform?: string;
}

/** What a container is made from. */
export interface ContainerImage {
  readonly id: string;
  readonly config: ImageConfig;
  readonly chainIds: readonly string[];
  readonly graphDriver: string;
}

/** See `Creation`; the platform as text. */
export interface Derivation extends Omit<Creation, 'platform' | 'isBuiltHere' | 'reference'> {
  readonly platform?: string | undefined;
}

/** Images: names, configs and the layers they stand on. One line per verb; each verb is a file. Making it costs three queries. */
export class ImagesRoom implements Images {
  readonly #parts: Parts;
  readonly #downloads: Downloads;

  constructor({ database, ...options }: ImagesOptions) {
    this.#parts = { ...options, store: new ImageStore({ database, ...options }), locks: new KeyedMutex() };
    this.#downloads = new Downloads(options.content);
  }

  /** Of all layers, each once, also those that only containers still use. */
  get layersSizeBytes(): number {
    return this.#parts.layers.images.all().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** What images and their layers take of the disk. */
  diskUsage(): ReturnType<typeof diskUsage> {
    return diskUsage(this.#parts);
  }

  get count(): number {
    return this.#parts.store.count;
  }

  /** By reference or id, and for a platform; `not_found` "No such image: x". */
  resolve(image: string, platform?: string): ContainerImage {
    const { row } = resolveFor(this.#parts.store, image, platform);
    const config = this.#parts.store.config(row.id);
    const { id, chainIds, graphDriver } = viewImage(this.#parts, row);
    return { id, config, chainIds, graphDriver };
  }

  /** Ids of this image and of all that were built on it; none when it is unknown. */
  descendantsOf(image: string): ReadonlySet<string> {
    const { store } = this.#parts;
    const ids = new Set<string>();
    try {
      const { row, reference } = store.resolve(image);
      for (const id of reference === undefined ? [row.id] : store.imagesOf(canonicalText(reference))) ids.add(id);
    } catch {
      return ids;
    }
    for (const id of ids) for (const child of store.childrenOf(id)) ids.add(child);
    return ids;
  }

  /** The image's tree, read-only, until it is disposed. */
  async mount(image: string, options: ShowOptions = {}): Promise<Rootfs> {
    return this.#parts.layers.images.show(this.#parts.store.resolve(image).row.topChain ?? '', options);
  }

  async list(request: Parameters<Images['list']>[0]): ReturnType<Images['list']> {
    return listImages(this.#parts, request);
  }

  inspect(image: string, { platform }: Platformed = {}): Image {
    return viewImage(this.#parts, resolveFor(this.#parts.store, image, platform).row);
  }

  manifests(image: string): ReturnType<Images['manifests']> {
    return manifestsOf(this.#parts, image);
  }

  history(image: string, { platform }: Platformed = {}): ReturnType<Images['history']> {
    return historyOf(this.#parts, resolveFor(this.#parts.store, image, platform).row);
  }

  async tag(image: string, reference: string): Promise<void> {
    tagImage(this.#parts, image, reference);
  }

  async tagAll(images: readonly string[], reference: string): Promise<void> {
    tagImages(this.#parts, images, reference);
  }

  remove(...[image, options]: Parameters<Images['remove']>): ReturnType<Images['remove']> {
    return removeImage(this.#parts, image, options);
  }

  prune(request: Parameters<Images['prune']>[0]): ReturnType<Images['prune']> {
    return pruneImages(this.#parts, request);
  }

  async save(images: readonly string[], options: SaveOptions = {}): Promise<AsyncIterable<Buffer>> {
    return saveImages(this.#parts, images, options);
  }

  load(...[tar, options]: Parameters<Images['load']>): ReturnType<Images['load']> {
    return loadImages(this.#parts, tar, options);
  }

  import(request: Parameters<Images['import']>[0]): ReturnType<Images['import']> {
    return importImage(this.#parts, request);
  }

  commit(request: CommitImage): Promise<{ readonly id: string }> {
    return commitImage(this.#parts, request);
  }

  /** An image that stands on another, without a name; it is there when this resolves. */
  async derive({ platform, ...creation }: Derivation): Promise<string> {
    const parsed = platform === undefined || platform === '' ? {} : { platform: parsePlatform(platform) };
    return createImage(this.#parts, { ...creation, ...parsed, isBuiltHere: true });
  }

  /** A layer of an image, from 0, the lowest. */
  layerOf(image: string, number: number): LayerSource {
    const layer = chainOf(this.#parts, this.#parts.store.resolve(image).row).toReversed()[number];
    if (layer === undefined) throw notFound(`image ${image} has no layer ${number}`);
    return layerSourceOf(this.#parts, layer);
  }

  hasChildren(id: string): boolean {
    return this.#parts.store.childrenOf(id).length > 0;
  }

  /** By a container. */
  isUsed(id: string): boolean {
    return this.#parts.users().usersOf(id).length > 0;
  }

  /** Whether it, or an image built on it, has a name. */
  standsUnderName(id: string): boolean {
    return [...this.descendantsOf(id)].some((each) => this.#parts.store.referencesOf(each).length > 0);
  }

  topLayerBytes(id: string): number {
    return chainOf(this.#parts, this.#parts.store.get(id))[0]?.sizeBytes ?? 0;
  }

  pull(...[reference, options]: Parameters<Images['pull']>): Promise<void> {
    return pullImages(this.#parts, this.#downloads, reference, options);
  }

  inspectRemote(...[reference, options]: Parameters<Images['inspectRemote']>): ReturnType<Images['inspectRemote']> {
    return inspectRemote(this.#parts, reference, options);
  }

  push(...[reference, options]: Parameters<Images['push']>): Promise<void> {
    return pushImage(this.#parts, reference, options);
  }

  /** A container was made from it, or removed: which of the unused went unused for longest depends on that. */
  used(id: string): void {
    this.#parts.store.use(id, Date.now());
  }

  /** Sweeps away, while it lives, what retention no longer keeps. */
  keep(retention: ImageRetention, dataRoot: string): AsyncDisposable {
    const { events, log } = this.#parts;
    const sweep = (signal: AbortSignal) => removeUnused(this.#parts, retention, { dataRoot, nowMs: Date.now(), signal });
    return keepSwept({ events, sweep, log });
  }

  /** Removes blobs that crashes left: what no image, no layer and no running operation names. Answers their digests. */
  async collect(): Promise<readonly string[]> {
    const { content, locks } = this.#parts;
    using _names = await locks.acquire('names');
    const strays = this.#strays();
    for (const digest of strays) await content.remove(digest);
    return strays;
  }

  ids(): readonly string[] {
    return this.#parts.store.all().map(({ id }) => id);
  }

  /** Blobs that nobody names, at a moment when no image is being named. */
  async strays(): Promise<readonly string[]> {
    using _names = await this.#parts.locks.acquire('names');
    return this.#strays();
  }

  /** Ids and names of the images that stand on a layer or are described by a blob. */
  usersOf({ blob, chainId }: { readonly blob?: string; readonly chainId?: string }): readonly string[] {
    const { store, layers } = this.#parts;
    const uses = (id: string): boolean =>
      id === blob ||
      viewImage(this.#parts, store.get(id)).chainIds.some((each) => each === chainId || layers.images.get(each)?.blobDigest === blob);
    return store.all().flatMap(({ id }) => (uses(id) ? [tagsOf(store.referencesOf(id))[0] ?? id] : []));
  }

  #strays(): readonly string[] {
    const { content, layers, store } = this.#parts;
    return content.list().filter((digest) => store.find(digest) === undefined && layers.images.isBlobFree(digest));
  }
}
