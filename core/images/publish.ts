import { type Abortable, GantryError, invalidArgument } from '@gantry/sdk';
import { digestOf } from '../content/index.ts';
import type { EarlyLayers, LayerSource, StagedLayers } from '../layers/index.ts';
import type { ImageManifest, ImageRow, Target } from '../metadata/index.ts';
import { failpoint } from '../support/index.ts';
import { canonicalText, type Reference } from './reference.ts';
import { indexesOf } from './indexes.ts';
import type { Parts } from './types.ts';

export interface NewImage {
  readonly configBytes: Buffer;
  /** The lowest first. */
  readonly layers: readonly LayerSource[];
  readonly references: readonly Reference[];
  readonly parent?: string;
  readonly isBuiltHere?: boolean;
  readonly manifest?: ImageManifest;
  /** What the references mean, when that is not this image alone: it comes to those of the index that are here. */
  readonly index?: ImageManifest | undefined;
}
export interface PublishedImage {
  readonly id: string;
  readonly references: readonly PublishedReference[];
}
export interface PublishedReference {
  readonly reference: Reference;
  /** The other image that had this name. */
  readonly replaced?: string;
}
export interface PublishOptions extends Abortable {
  readonly onUnpacked?: (diffId: string) => void;
  readonly early?: EarlyLayers;
  /** The references are a user's wish, not an archive's word: RFC 3339. */
  readonly taggedAt?: string;
  /** Further rows for the same transaction, of images that it makes. */
  readonly also?: (published: readonly PublishedImage[]) => void;
}

/**
 * Unpacks and verifies the layers of all these images and then names all of it in one transaction: all of them are there, durable, when it
 * resolves, and none when it rejects or is aborted.
 */
export async function publishImages(
  parts: Parts,
  images: readonly NewImage[],
  options: PublishOptions,
): Promise<readonly PublishedImage[]> {
  try {
    return await publishStaged(parts, images, options);
  } catch (error) {
    await removeStrays(parts, images);
    throw error;
  }
}

async function publishStaged(parts: Parts, images: readonly NewImage[], options: PublishOptions): Promise<readonly PublishedImage[]> {
  await using staged = await stage(parts, images, options);
  using _names = await parts.locks.acquire('names', options.signal === undefined ? {} : { signal: options.signal });
  for (const { configBytes } of images) await putWhole(parts, configBytes);
  options.signal?.throwIfAborted();
  return name(parts, images, { staged, ...options });
}

/** Also when the disk no longer holds what it should: loading again is how a damaged image is repaired. */
async function putWhole({ content }: Parts, bytes: Buffer): Promise<void> {
  const digest = digestOf(bytes);
  try {
    if (content.has(digest)) content.readSmall(digest);
  } catch {
    await content.remove(digest);
  }
  await content.put(bytes);
}

async function stage(
  { layers, graphDriver }: Parts,
  images: readonly NewImage[],
  { onUnpacked, early, signal }: PublishOptions,
): Promise<StagedLayers> {
  const stacks = images.map((image) => image.layers);
  const options = {
    graphDriver: await graphDriver(),
    signal,
    ...(onUnpacked === undefined ? {} : { onUnpacked }),
    ...(early === undefined ? {} : { early }),
  };
  try {
    return await layers.images.stage(stacks, options);
  } catch (error) {
    // What is wrong with a tar is the fault of who sent it.
    if (GantryError.is(error) || !(error instanceof Error) || error.name !== 'TarError') throw error;
    throw invalidArgument(`unpack layer: ${error.message}`, { cause: error });
  }
}

function name(
  { store }: Parts,
  images: readonly NewImage[],
  { staged, taggedAt, also }: { readonly staged: StagedLayers } & Pick<PublishOptions, 'taggedAt' | 'also'>,
): readonly PublishedImage[] {
  const indexes = indexesOf(store, images);
  const names = new Map<string, Target>();
  const claim = (reference: Reference, target: Target): PublishedReference => {
    const canonical = canonicalText(reference);
    const before = firstOf(names.get(canonical)) ?? store.imageOf(canonical);
    names.set(canonical, target);
    const now = 'image' in target ? [target.image] : (indexes.get(target.index)?.images ?? []);
    return before === undefined || now.includes(before) ? { reference } : { reference, replaced: before };
  };
  const firstOf = (target: Target | undefined): string | undefined =>
    target === undefined || 'image' in target ? target?.image : indexes.get(target.index)?.images[0];
  const rows = new Map<string, ImageRow>();
  const published = images.map((image, at) => {
    const id = digestOf(image.configBytes);
    rows.set(id, rowOf(image, { id, known: rows.get(id) ?? store.find(id), topChain: staged.chainIds[at]?.at(-1), taggedAt }));
    return { id, references: image.references.map((reference) => claim(reference, targetOf(image))) };
  });
  failpoint('load.image.txn');
  store.change({
    add: [...rows.values()],
    name: names,
    indexes,
    manifests: new Map(
      images.flatMap(({ configBytes, manifest }) => (manifest === undefined ? [] : [[digestOf(configBytes), manifest] as const])),
    ),
    also: () => {
      staged.record();
      failpoint('load.tags.txn');
      also?.(published);
    },
  });
  staged.keep();
  return published;
}

function targetOf({ configBytes, index }: NewImage): Target {
  return index === undefined ? { image: digestOf(configBytes) } : { index: index.digest };
}

/** An image that is there already stays as it is, but may turn out to be made here. */
function rowOf(
  { references, parent = '', isBuiltHere = false }: NewImage,
  {
    id,
    known,
    topChain,
    taggedAt,
  }: {
    readonly id: string;
    readonly known: ImageRow | undefined;
    readonly topChain: string | undefined;
    readonly taggedAt: string | undefined;
  },
): ImageRow {
  const row = known ?? { id, parent, topChain, isBuiltHere, lastTagged: '', addedMs: Date.now(), usedMs: 0 };
  const lastTagged = taggedAt !== undefined && references.length > 0 ? taggedAt : row.lastTagged;
  return isBuiltHere ? { ...row, parent, isBuiltHere, lastTagged } : { ...row, lastTagged };
}

/** Blobs got their names before the rows that need them. */
async function removeStrays({ store, content, layers, locks }: Parts, images: readonly NewImage[]): Promise<void> {
  using _names = await locks.acquire('names');
  const blobs = images.flatMap((image) => [digestOf(image.configBytes), ...image.layers.map(({ blob }) => blob.digest)]);
  for (const digest of new Set(blobs)) {
    if (store.find(digest) === undefined && layers.images.isBlobFree(digest)) await content.remove(digest);
  }
}
