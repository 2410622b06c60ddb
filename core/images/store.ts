import { type Logger, notFound } from '@gantry/sdk';
import type { ImageConfig } from '@gantry/sdk/engine';
import type { Content } from '../content/index.ts';
import { type CompressedLayer, type Database, type ImageManifest, type ImageRow, ImageRows, type Target } from '../metadata/index.ts';
import { ImageConfigs } from './config/configs.ts';
import { Names } from './names.ts';
import { canonicalText, familiarText, isHexId, parseReference, type Reference, withDefaultTag } from './reference.ts';

/** What a change of images consists of: all of it happens or nothing. */
export interface ImageChange {
  readonly add?: readonly ImageRow[];
  /** By canonical reference. */
  readonly name?: ReadonlyMap<string, Target>;
  /** By digest: the images of an index that are here from now on, the preferred one first; with the index itself when it is new. */
  readonly indexes?: ReadonlyMap<string, { readonly images: readonly string[]; readonly document?: ImageManifest }>;
  /** Image id → manifest. */
  readonly manifests?: ReadonlyMap<string, ImageManifest>;
  readonly unname?: readonly string[];
  /** Ids. The names of an index stay as long as another of its images does. */
  readonly remove?: readonly string[];
  /** Further rows for the same transaction. */
  readonly also?: () => void;
}
export interface Resolved {
  readonly row: ImageRow;
  /** Set when the image was found by a name and not by its id. */
  readonly reference?: Reference;
}

/** Every image and reference in memory, the store behind it. Reading never waits; only configs come from the disk, when first needed. */
export class ImageStore {
  readonly #rows: ImageRows;
  readonly #configs: ImageConfigs;
  readonly #images: Map<string, ImageRow>;
  readonly #names: Names;

  constructor({ database, content, log }: { readonly database: Database; readonly content: Content; readonly log: Logger }) {
    this.#rows = new ImageRows(database);
    this.#configs = new ImageConfigs({ content, log });
    this.#images = new Map(this.#rows.images().map((row) => [row.id, row]));
    this.#names = new Names(this.#rows.references(), this.#rows.indexes());
  }

  get count(): number {
    return this.#images.size;
  }

  all(): readonly ImageRow[] {
    return [...this.#images.values()];
  }

  find(id: string): ImageRow | undefined {
    return this.#images.get(id);
  }

  get(id: string): ImageRow {
    const row = this.#images.get(id);
    if (row === undefined) throw notFound(`No such image: ${id}`);
    return row;
  }

  /** Throws `data_loss` when the disk no longer holds what was stored. */
  config(id: string): ImageConfig {
    return this.#configs.get(id);
  }

  /** As `config`, but empty for an image that is damaged: it can still be listed and removed. */
  configOrEmpty(id: string): ImageConfig {
    return this.#configs.getOrEmpty(id);
  }

  /** The canonical references of an image, sorted: those of its indexes too. */
  referencesOf(id: string): readonly string[] {
    return this.#names.of(id);
  }

  /** Of its references those that mean it where nobody says a platform. */
  ledBy(id: string): readonly string[] {
    return this.#names.of(id).filter((reference) => this.imageOf(reference) === id);
  }

  /** The image that a canonical reference means where nobody says a platform. */
  imageOf(reference: string): string | undefined {
    return this.#names.imagesOf(reference)[0];
  }

  /** All that it means, the preferred one first; none when it means nothing. */
  imagesOf(reference: string): readonly string[] {
    return this.#names.imagesOf(reference);
  }

  targetOf(reference: string): Target | undefined {
    return this.#names.targetOf(reference);
  }

  /** Of an index the images that are here, the preferred one first. */
  imagesIn(index: string): readonly string[] {
    return this.#names.imagesIn(index);
  }

  /** Images that come under the same indexes, itself first. */
  siblingsOf(id: string): readonly string[] {
    return [...new Set([id, ...[...this.#names.indexesOf(id)].flatMap((index) => this.imagesIn(index))])];
  }

  /** The document of an index that a reference means. */
  index(digest: string): ImageManifest | undefined {
    return this.#rows.index(digest);
  }

  /** All references of one repository ("docker.io/library/busybox"), sorted. */
  referencesIn(repository: string): readonly string[] {
    return [...this.#names.all()]
      .filter((reference) => reference.startsWith(`${repository}:`) || reference.startsWith(`${repository}@`))
      .toSorted();
  }

  childrenOf(id: string): readonly string[] {
    return this.all().flatMap((row) => (row.parent === id ? [row.id] : []));
  }

  /**
   * What a user calls an image: a full id, a reference, or a unique beginning of an id, in this order. `invalid_argument` for what can be
   * no reference, `not_found` "No such image: x:latest".
   */
  resolve(given: string): Resolved {
    const isFull = isHexId(given.replace(/^sha256:/, ''));
    if (isFull) return { row: this.get(given.startsWith('sha256:') ? given : `sha256:${given}`) };
    const reference = withDefaultTag(parseReference(given));
    const named = this.imageOf(canonicalText(reference));
    if (named !== undefined) return { row: this.get(named), reference };
    const [found, another] = this.#startingWith(given);
    if (found === undefined || another !== undefined) throw notFound(`No such image: ${familiarText(reference)}`);
    return { row: found };
  }

  /** Durable when it returns. */
  change(change: ImageChange): void {
    this.#rows.transaction(() => {
      change.also?.();
      for (const row of change.add ?? []) this.#rows.put(row);
      for (const [digest, { images, document }] of change.indexes ?? []) {
        if (document !== undefined) this.#rows.addIndex(document);
        this.#rows.setIndexImages(digest, images);
      }
      for (const [reference, target] of change.name ?? []) {
        const [imageId = ''] =
          'image' in target ? [target.image] : (change.indexes?.get(target.index)?.images ?? this.imagesIn(target.index));
        this.#rows.setReference(reference, { imageId, ...('index' in target && { index: target.index }) });
      }
      for (const [imageId, manifest] of change.manifests ?? []) this.#rows.setManifest(imageId, manifest);
      for (const reference of change.unname ?? []) this.#rows.removeReference(reference);
      for (const [digest, images] of this.#indexesWithout(change.remove ?? [])) this.#rows.setIndexImages(digest, images);
      for (const id of change.remove ?? []) this.#rows.remove(id);
      if (change.name !== undefined || change.unname !== undefined) this.#rows.removeUnnamedIndexes();
    });
    for (const row of change.add ?? []) this.#images.set(row.id, row);
    for (const [digest, { images }] of change.indexes ?? []) this.#names.setImages(digest, images);
    for (const [reference, target] of change.name ?? []) this.#names.set(reference, target);
    for (const reference of change.unname ?? []) this.#names.remove(reference);
    for (const id of change.remove ?? []) {
      this.#names.forget(id);
      this.#images.delete(id);
      this.#configs.forget(id);
    }
    if (change.name !== undefined || change.unname !== undefined) this.#names.removeUnnamedIndexes();
  }

  /** Those that are known of it, the latest first. */
  manifestsOf(id: string): readonly ImageManifest[] {
    return this.#rows.manifestsOf(id);
  }

  /** What a layer was when it went to a registry compressed: only a hint, it spares asking and compressing again. */
  compressed(diffId: string): CompressedLayer | undefined {
    return this.#rows.compressed(diffId);
  }

  setCompressed(diffId: string, layer: CompressedLayer): void {
    this.#rows.transaction(() => this.#rows.setCompressed(diffId, layer));
  }

  /** A container was made from it, or removed. */
  use(id: string, usedMs: number): void {
    const row = this.#images.get(id);
    if (row === undefined) return;
    this.#images.set(id, { ...row, usedMs });
    // Who makes many containers is not kept waiting for each.
    if (usedMs - row.usedMs > 60_000) this.#rows.use(id, usedMs);
  }

  #startingWith(given: string): readonly ImageRow[] {
    const prefix = `sha256:${given.replace(/^sha256:/, '')}`;
    return /^sha256:[0-9a-f]+$/.test(prefix) ? this.all().filter(({ id }) => id.startsWith(prefix)) : [];
  }

  /** What is left of the indexes that lose images, where something is. */
  #indexesWithout(removed: readonly string[]): ReadonlyMap<string, readonly string[]> {
    const indexes = new Set(removed.flatMap((id) => [...this.#names.indexesOf(id)]));
    const left = [...indexes].map((index) => [index, this.imagesIn(index).filter((id) => !removed.includes(id))] as const);
    return new Map(left.filter(([, images]) => images.length > 0));
  }
}
