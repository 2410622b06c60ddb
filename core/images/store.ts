import { type Logger, notFound } from '@gantry/sdk';
import type { ImageConfig } from '@gantry/sdk/engine';
import type { Content } from '../content/index.ts';
import { type CompressedLayer, type Database, type ImageManifest, type ImageRow, ImageRows } from '../metadata/index.ts';
import { ImageConfigs } from './config/configs.ts';
import { canonicalText, familiarText, isHexId, parseReference, type Reference, withDefaultTag } from './reference.ts';

/** What a change of images consists of: all of it happens or nothing. */
export interface ImageChange {
  readonly add?: readonly ImageRow[];
  /** Canonical reference → image id. */
  readonly name?: ReadonlyMap<string, string>;
  /** Image id → manifest. */
  readonly manifests?: ReadonlyMap<string, ImageManifest>;
  readonly unname?: readonly string[];
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
  readonly #images = new Map<string, ImageRow>();
  readonly #imageOf = new Map<string, string>();
  readonly #references = new Map<string, Set<string>>();

  constructor({ database, content, log }: { readonly database: Database; readonly content: Content; readonly log: Logger }) {
    this.#rows = new ImageRows(database);
    this.#configs = new ImageConfigs({ content, log });
    for (const { references, ...row } of this.#rows.images()) {
      this.#images.set(row.id, row);
      for (const reference of references) this.#name(reference, row.id);
    }
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

  /** The canonical references of an image, sorted. */
  referencesOf(id: string): readonly string[] {
    return [...(this.#references.get(id) ?? [])].toSorted();
  }

  imageOf(reference: string): string | undefined {
    return this.#imageOf.get(reference);
  }

  /** All references of one repository ("docker.io/library/busybox"), sorted. */
  referencesIn(repository: string): readonly string[] {
    return [...this.#imageOf.keys()]
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
    const named = this.#imageOf.get(canonicalText(reference));
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
      for (const [reference, imageId] of change.name ?? []) this.#rows.setReference(reference, imageId);
      for (const [imageId, manifest] of change.manifests ?? []) this.#rows.setManifest(imageId, manifest);
      for (const reference of change.unname ?? []) this.#rows.removeReference(reference);
      for (const id of change.remove ?? []) this.#rows.remove(id);
    });
    for (const row of change.add ?? []) this.#images.set(row.id, row);
    for (const [reference, imageId] of change.name ?? []) this.#name(reference, imageId);
    for (const reference of change.unname ?? []) this.#unname(reference);
    for (const id of change.remove ?? []) this.#forget(id);
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

  #name(reference: string, imageId: string): void {
    this.#unname(reference);
    this.#imageOf.set(reference, imageId);
    const references = this.#references.get(imageId);
    if (references === undefined) this.#references.set(imageId, new Set([reference]));
    else references.add(reference);
  }

  #unname(reference: string): void {
    const before = this.#imageOf.get(reference);
    if (before === undefined) return;
    this.#imageOf.delete(reference);
    this.#references.get(before)?.delete(reference);
  }

  #forget(id: string): void {
    for (const reference of this.referencesOf(id)) this.#unname(reference);
    this.#references.delete(id);
    this.#images.delete(id);
    this.#configs.forget(id);
  }
}
