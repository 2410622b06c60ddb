import type { Abortable } from '@gantry/sdk';
import type { Content } from '../../content/index.ts';
import { endOfArchive, paddingBytes, tarHeader } from '../../layers/index.ts';
import { familiarName, familiarText, type Reference, repositoryOf } from '../reference.ts';
import type { ImageManifest } from '../../metadata/index.ts';
import type { Platform } from '../platform.ts';
import type { Descriptor } from './descriptor.ts';
import { imageIndex, type LayerFile, plainManifest } from './manifest.ts';
import { parseIndex, parseManifest } from './oci-manifest.ts';
import { storedBlob, withPlainLayer } from './layer-member.ts';

/** An image and the tags that are to go with it. */
export interface ImageToSave {
  readonly id: string;
  readonly configBytes: Buffer;
  /** The lowest first. */
  readonly layers: readonly LayerFile[];
  readonly tags: readonly Reference[];
  /** What it came with, when its layers are the blobs that are stored. */
  readonly manifest?: ImageManifest | undefined;
}
/** Images for several platforms, and the tags that mean all of them. */
export interface IndexToSave {
  readonly tags: readonly Reference[];
  /** What they came as. */
  readonly document: ImageManifest;
  /** The preferred one first: for those who read no indexes, the tags mean this one. */
  readonly images: readonly (ImageToSave & { readonly platform: Platform })[];
}

/**
 * One tar that is a Docker archive and an OCI layout at once, as `docker save` writes it since version 25. An image that came with a manifest
 * keeps it, with the layers as they came; those of others are plain tars under their diff ids. Everything is sorted and from 1970: the same
 * images give the same bytes, in whatever order they are asked for.
 */
export async function* saveArchive(
  content: Content,
  { images, indexes }: { readonly images: readonly ImageToSave[]; readonly indexes: readonly IndexToSave[] },
  { signal }: Abortable,
): AsyncIterable<Buffer> {
  const all = [...images, ...indexes.flatMap((index) => index.images)];
  const sorted = byKey(all.map((image) => [image.id, image])).map(([, image]) => image);
  const sizes = new Map<string, number>();
  yield Buffer.concat([folder('blobs/'), folder('blobs/sha256/')]);
  for (const [digest, layer] of byKey(sorted.flatMap(layerBlobs))) {
    if (layer === undefined) yield* storedBlob(content, digest, { signal });
    else yield* withPlainLayer(content, layer, { signal, onSize: (sizeBytes) => sizes.set(digest, sizeBytes) });
  }
  const described = sorted.map((image) => describe(image, sizes));
  const named = new Map(images.map(({ id, tags }) => [id, tags] as const));
  const single = described.flatMap((each) => withTags(each, named.get(each.image.id)));
  const several = byKey(indexes.map((index) => describeIndex(index, described)).map((index) => [index.document.digest, index])).map(
    ([, index]) => index,
  );
  const documents = described.flatMap(({ image, manifest }) => [
    [image.id, image.configBytes] as const,
    [manifest.digest, manifest.bytes] as const,
  ]);
  documents.push(...several.map(({ document }) => [document.digest, document.bytes] as const));
  for (const [digest, bytes] of byKey(documents)) yield file(blobName(digest), bytes);
  yield file('index.json', json(indexOf(single, several)));
  const shown = described.flatMap((each) => withTags(each, shownTags(each.image.id, named, indexes)));
  yield file('manifest.json', json(shown.map(entryOf)));
  yield file('oci-layout', json({ imageLayoutVersion: '1.0.0' }));
  yield file('repositories', json(repositoriesOf(shown)));
  yield endOfArchive;
}

/** Blobs of the archive, with the layer where its plain tar is meant. */
function layerBlobs({ layers, manifest }: ImageToSave): readonly (readonly [digest: string, plain: LayerFile | undefined])[] {
  return layers.map((layer) => (manifest === undefined ? [layer.diffId, layer] : [layer.blobDigest, undefined]));
}

function byKey<T>(entries: readonly (readonly [string, T])[]): readonly (readonly [string, T])[] {
  return [...new Map(entries)].toSorted(([left], [right]) => (left < right ? -1 : 1));
}

export function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

interface Described {
  readonly image: ImageToSave;
  readonly manifest: ImageManifest;
  readonly layers: readonly Pick<Descriptor, 'mediaType' | 'digest' | 'size'>[];
}

function describe(image: ImageToSave, sizes: ReadonlyMap<string, number>): Described {
  const layers = image.layers.map(({ diffId }) => ({ diffId, size: sizes.get(diffId) ?? 0 }));
  const manifest = image.manifest ?? plainManifest({ id: image.id, configSize: image.configBytes.length, layers });
  const named = parseManifest(manifest.bytes, `manifest ${manifest.digest}`).layers;
  return { image, manifest, layers: named.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })) };
}

interface DescribedIndex extends Pick<IndexToSave, 'tags' | 'document'> {}

/** What they came as, where it says the same of them; else one of its own. */
function describeIndex({ tags, document, images }: IndexToSave, described: readonly Described[]): DescribedIndex {
  const manifests = images.flatMap(({ id, platform }) => {
    const manifest = described.find(({ image }) => image.id === id)?.manifest;
    return manifest === undefined ? [] : [{ manifest, platform }];
  });
  const listed = new Set(parseIndex(document.bytes, `index ${document.digest}`).map(({ digest }) => digest));
  const isSame = manifests.every(({ manifest }) => listed.has(manifest.digest));
  return { tags, document: isSame ? document : imageIndex(manifests) };
}

function withTags(described: Described, tags: readonly Reference[] | undefined): readonly Described[] {
  return tags === undefined ? [] : [{ ...described, image: { ...described.image, tags } }];
}

/** Undefined: it is there for another platform alone. */
function shownTags(
  id: string,
  named: ReadonlyMap<string, readonly Reference[]>,
  indexes: readonly IndexToSave[],
): readonly Reference[] | undefined {
  const led = indexes.filter(({ images: [first] }) => first?.id === id);
  if (!named.has(id) && led.length === 0) return undefined;
  const tags = [...(named.get(id) ?? []), ...led.flatMap((index) => index.tags)];
  return tags.toSorted((left, right) => (familiarText(left) < familiarText(right) ? -1 : 1));
}

function indexOf(described: readonly Described[], indexes: readonly DescribedIndex[]): unknown {
  const manifests = [
    ...described.flatMap(({ image, manifest }) => descriptors(manifest, image.tags)),
    ...indexes.flatMap(({ document, tags }) => descriptors(document, tags)),
  ];
  return { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
}

/** One for each tag. */
function descriptors({ mediaType, digest, bytes }: ImageManifest, tags: readonly Reference[]): readonly unknown[] {
  const descriptor = { mediaType, digest, size: bytes.length };
  if (tags.length === 0) return [descriptor];
  return tags.map((reference) => ({
    ...descriptor,
    annotations: {
      'io.containerd.image.name': `${repositoryOf(reference)}:${reference.tag}`,
      'org.opencontainers.image.ref.name': reference.tag,
    },
  }));
}

function entryOf({ image, layers }: Described): unknown {
  return {
    Config: blobName(image.id),
    RepoTags: image.tags.length === 0 ? null : image.tags.map(familiarText),
    Layers: layers.map(({ digest }) => blobName(digest)),
    ...(layers.length === 0 ? {} : { LayerSources: Object.fromEntries(layers.map((layer, at) => [image.layers[at]?.diffId, layer])) }),
  };
}

function repositoriesOf(described: readonly Described[]): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const names = new Map<string, Record<string, string>>();
  for (const { image } of described) {
    const top = image.layers.at(-1)?.diffId.slice('sha256:'.length);
    for (const reference of top === undefined ? [] : image.tags) {
      names.set(familiarName(reference), { ...names.get(familiarName(reference)), [reference.tag ?? '']: top ?? '' });
    }
  }
  return Object.fromEntries([...names].toSorted(([left], [right]) => (left < right ? -1 : 1)));
}

function file(name: string, bytes: Buffer): Buffer {
  const header = tarHeader({ type: '0', name: Buffer.from(name), mode: 0o644, size: bytes.length });
  return Buffer.concat([header, bytes, Buffer.alloc(paddingBytes(bytes.length))]);
}

function folder(name: string): Buffer {
  return tarHeader({ type: '5', name: Buffer.from(name), mode: 0o755 });
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
