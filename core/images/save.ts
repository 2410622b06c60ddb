import { type Abortable, invalidArgument } from '@gantry/sdk';
import { announce } from './announce.ts';
import { storedManifest } from './archive/manifest.ts';
import { parseIndex } from './archive/oci-manifest.ts';
import { type ImageToSave, type IndexToSave, saveArchive } from './archive/save.ts';
import { canonicalText, parseReference, type Reference, repositoryOf, withDefaultTag } from './reference.ts';
import { resolveFor } from './resolve.ts';
import type { Parts } from './types.ts';
import { chainOf } from './view.ts';

export interface SaveOptions extends Abortable {
  /** Names in the archive, instead of those that were asked for. */
  readonly as?: readonly string[];
  /** Of names with several platforms, only the images for this one. */
  readonly platform?: string;
}

/**
 * The images that these names mean, as one archive; a repository without a tag means all its tags, an id takes no tag along, a name of several
 * platforms means those that are here. Throws `not_found` before the first byte.
 */
export function saveImages(parts: Parts, names: readonly string[], options: SaveOptions): AsyncIterable<Buffer> {
  const wanted = new Map<string, { readonly meant: Meant; readonly tags: Map<string, Reference> }>();
  for (const meant of names.flatMap((name) => meantBy(parts, name, options.platform))) {
    const key = meant.index ?? meant.id;
    const known = wanted.get(key) ?? { meant, tags: new Map<string, Reference>() };
    for (const tag of options.as ?? meant.tags) known.tags.set(tag, withDefaultTag(parseReference(tag)));
    wanted.set(key, known);
  }
  const images: ImageToSave[] = [];
  const indexes: IndexToSave[] = [];
  for (const { meant, tags } of wanted.values()) {
    const document = meant.index === undefined ? undefined : parts.store.index(meant.index);
    if (document === undefined) images.push(toSave(parts, meant.id, { tags: sorted(tags) }));
    else indexes.push(indexToSave(parts, document, sorted(tags)));
  }
  for (const { meant } of wanted.values()) announce(parts, 'save', meant.id);
  return holding(parts, { images, indexes }, options);
}

/** Whatever is removed meanwhile goes when the last byte has gone out. */
async function* holding(parts: Parts, saved: Parameters<typeof saveArchive>[1], options: Abortable): AsyncIterable<Buffer> {
  const images = [...saved.images, ...saved.indexes.flatMap((index) => index.images)];
  const blobs = images.flatMap(({ layers }) => layers.map(({ blobDigest }) => blobDigest));
  const held = parts.layers.images.holdBlobs(blobs);
  try {
    yield* saveArchive(parts.content, saved, options);
  } finally {
    held[Symbol.dispose]();
    for (const digest of new Set(blobs)) if (parts.layers.images.isBlobFree(digest)) await parts.content.remove(digest);
  }
}

interface Meant {
  /** Of several the preferred one. */
  readonly id: string;
  /** Of several that are here. */
  readonly index?: string;
  /** Canonical. */
  readonly tags: readonly string[];
}

function meantBy(parts: Parts, name: string, platform: string | undefined): readonly Meant[] {
  const { store } = parts;
  if (name === '') throw invalidArgument('invalid reference format');
  const inRepository = isRepository(name) ? store.referencesIn(repositoryOf(parseReference(name))) : [];
  const tags = inRepository.filter((text) => !text.includes('@'));
  if (tags.length > 0) return tags.map((tag) => ({ ...targetOf(parts, tag, platform), tags: [tag] }));
  const { row, reference } = resolveFor(store, name, platform);
  if (reference === undefined) return [{ id: row.id, tags: [] }];
  const isTag = reference.tag !== undefined && reference.digest === undefined;
  return [
    {
      ...targetOf(parts, canonicalText(reference), platform),
      tags: isTag ? [`${repositoryOf(reference)}:${reference.tag}`] : [],
    },
  ];
}

function targetOf({ store }: Parts, reference: string, platform: string | undefined): Omit<Meant, 'tags'> {
  const { id } = resolveFor(store, reference, platform).row;
  const target = store.targetOf(reference);
  const isSeveral = target !== undefined && 'index' in target && store.imagesIn(target.index).length > 1;
  return isSeveral && (platform ?? '') === '' ? { id, index: target.index } : { id };
}

function isRepository(name: string): boolean {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(name)) return false;
  const { tag, digest } = parseReference(name);
  return tag === undefined && digest === undefined;
}

function indexToSave(parts: Parts, document: IndexToSave['document'], tags: readonly Reference[]): IndexToSave {
  const { store } = parts;
  const listed = new Set(parseIndex(document.bytes, `index ${document.digest}`).map(({ digest }) => digest));
  const images = store.imagesIn(document.digest).map((id) => {
    const { os, architecture, variant } = store.config(id);
    const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
    return { ...toSave(parts, id, { tags: [], listed }), platform };
  });
  return { document, tags, images };
}

/** Of several manifests that would do, the one that is `listed` in an index. */
function toSave(
  parts: Parts,
  id: string,
  { tags, listed = new Set() }: { readonly tags: readonly Reference[]; readonly listed?: ReadonlySet<string> },
): ImageToSave {
  const layers = chainOf(parts, parts.store.get(id))
    .map(({ diffId, blobDigest }) => ({ diffId, blobDigest }))
    .toReversed();
  const known = parts.store.manifestsOf(id).toSorted((left, right) => Number(listed.has(right.digest)) - Number(listed.has(left.digest)));
  return { id, configBytes: parts.content.readSmall(id), layers, tags, manifest: storedManifest(known, layers) };
}

function sorted(tags: ReadonlyMap<string, Reference>): readonly Reference[] {
  return [...tags].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, reference]) => reference);
}
