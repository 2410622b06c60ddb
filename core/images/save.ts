import { type Abortable, invalidArgument } from '@gantry/sdk';
import { announce } from './announce.ts';
import { storedManifest } from './archive/manifest.ts';
import { type ImageToSave, saveArchive } from './archive/save.ts';
import { parseReference, type Reference, repositoryOf, withDefaultTag } from './reference.ts';
import type { Parts } from './types.ts';
import { chainOf } from './view.ts';

export interface SaveOptions extends Abortable {
  /** Names in the archive, instead of those that were asked for. */
  readonly as?: readonly string[];
}

/**
 * The images that these names mean, as one archive; a repository without a tag means all its tags, an id takes no tag along. Throws
 * `not_found` before the first byte.
 */
export function saveImages(parts: Parts, names: readonly string[], options: SaveOptions): AsyncIterable<Buffer> {
  const wanted = new Map<string, Map<string, Reference>>();
  for (const { id, tags } of names.flatMap((name) => meantBy(parts, name))) {
    const known = wanted.get(id) ?? new Map<string, Reference>();
    for (const tag of options.as ?? tags) known.set(tag, withDefaultTag(parseReference(tag)));
    wanted.set(id, known);
  }
  const images = [...wanted].map(([id, tags]) => toSave(parts, id, sorted(tags)));
  for (const { id } of images) announce(parts, 'save', id);
  return holding(parts, images, options);
}

/** Whatever is removed meanwhile goes when the last byte has gone out. */
async function* holding(parts: Parts, images: readonly ImageToSave[], options: Abortable): AsyncIterable<Buffer> {
  const blobs = images.flatMap(({ layers }) => layers.map(({ blobDigest }) => blobDigest));
  const held = parts.layers.images.holdBlobs(blobs);
  try {
    yield* saveArchive(parts.content, images, options);
  } finally {
    held[Symbol.dispose]();
    for (const digest of new Set(blobs)) if (parts.layers.images.isBlobFree(digest)) await parts.content.remove(digest);
  }
}

interface Meant {
  readonly id: string;
  /** Canonical. */
  readonly tags: readonly string[];
}

function meantBy({ store }: Parts, name: string): readonly Meant[] {
  if (name === '') throw invalidArgument('invalid reference format');
  const inRepository = isRepository(name) ? store.referencesIn(repositoryOf(parseReference(name))) : [];
  const tags = inRepository.filter((text) => !text.includes('@'));
  if (tags.length > 0) return tags.map((tag) => ({ id: store.imageOf(tag) ?? '', tags: [tag] }));
  const { row, reference } = store.resolve(name);
  const isTag = reference?.tag !== undefined && reference.digest === undefined;
  return [{ id: row.id, tags: isTag ? [`${repositoryOf(reference)}:${reference.tag}`] : [] }];
}

function isRepository(name: string): boolean {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(name)) return false;
  const { tag, digest } = parseReference(name);
  return tag === undefined && digest === undefined;
}

function toSave(parts: Parts, id: string, tags: readonly Reference[]): ImageToSave {
  const layers = chainOf(parts, parts.store.get(id))
    .map(({ diffId, blobDigest }) => ({ diffId, blobDigest }))
    .toReversed();
  return { id, configBytes: parts.content.readSmall(id), layers, tags, manifest: storedManifest(parts.store.manifestsOf(id), layers) };
}

function sorted(tags: ReadonlyMap<string, Reference>): readonly Reference[] {
  return [...tags].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, reference]) => reference);
}
