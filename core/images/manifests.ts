import type { ImageManifestSummary } from '@gantry/sdk/engine';
import type { ImageManifest } from '../metadata/index.ts';
import { type Descriptor, describesImage, isManifestType } from './archive/descriptor.ts';
import { type LayerFile, manifestAsStored, plainManifest, storedManifest } from './archive/manifest.ts';
import { parseIndex } from './archive/oci-manifest.ts';
import { canonicalText } from './reference.ts';
import type { Parts } from './types.ts';
import { chainOf } from './view.ts';

/**
 * The manifests of what a name means: of an index those of all its platforms, in its order, whether their images are here or not. None for an
 * image that nothing describes.
 */
export function manifestsOf(parts: Parts, name: string): readonly ImageManifestSummary[] {
  const { row, reference } = parts.store.resolve(name);
  const target = reference === undefined ? undefined : parts.store.targetOf(canonicalText(reference));
  const index = target !== undefined && 'index' in target ? parts.store.index(target.index) : undefined;
  if (index === undefined) return summaryOf(parts, row.id);
  const here = parts.store.imagesIn(index.digest).map((id) => ({ id, digests: manifestDigestsOf(parts, id) }));
  const described = parseIndex(index.bytes, `index ${index.digest}`).filter(describesImage);
  const listed = described.flatMap((descriptor) => {
    const found = here.find(({ digests }) => digests.includes(descriptor.digest));
    if (found !== undefined) return summaryOf(parts, found.id, descriptor.digest);
    return isManifestType(descriptor.mediaType) ? [absent(descriptor)] : [];
  });
  const shown = new Set(listed.map(({ descriptor }) => descriptor.digest));
  const nested = here.filter(({ digests }) => !digests.some((digest) => shown.has(digest))).flatMap(({ id }) => summaryOf(parts, id));
  return [...listed, ...nested];
}

/** Of what an image is known as, and would be called with the blobs that are stored. */
export function manifestDigestsOf(parts: Parts, id: string): readonly string[] {
  const layers = chainOf(parts, parts.store.get(id)).toReversed();
  const known = parts.store.manifestsOf(id).map(({ digest }) => digest);
  return [...known, manifestAsStored(parts.content, { id, layers }).digest];
}

function absent({ mediaType, digest, size, platform }: Descriptor): ImageManifestSummary {
  const { os = '', architecture = '', variant } = platform ?? {};
  return {
    isHere: false,
    descriptor: { mediaType, digest, size },
    platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
    contentBytes: 0,
    unpackedBytes: 0,
    containers: [],
  };
}

/** The manifest that is asked for; else the one that its blobs came with, the one that a save would write, or the latest that is known, in this order. */
function summaryOf(parts: Parts, id: string, digest?: string): readonly ImageManifestSummary[] {
  const chain = chainOf(parts, parts.store.get(id)).toReversed();
  const known = parts.store.manifestsOf(id);
  const stored = digest === undefined ? [] : [manifestAsStored(parts.content, { id, layers: chain })];
  const manifest = [...known, ...stored].find((each) => each.digest === digest) ?? manifestOf(parts, { id, known, layers: chain });
  if (manifest === undefined) return [];
  const { os, architecture, variant } = parts.store.configOrEmpty(id);
  const blobs = [id, ...new Set(chain.map(({ blobDigest }) => blobDigest))];
  return [
    {
      isHere: true,
      descriptor: { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length },
      platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
      contentBytes: blobs.reduce((sum, blob) => sum + parts.content.sizeOf(blob), 0),
      unpackedBytes: chain.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      containers: parts
        .users()
        .usersOf(id)
        .map((user) => user.id),
    },
  ];
}

function manifestOf(
  { content }: Parts,
  { id, known, layers }: { readonly id: string; readonly known: readonly ImageManifest[]; readonly layers: readonly LayerFile[] },
): ImageManifest | undefined {
  const stored = storedManifest(known, layers);
  if (stored !== undefined) return stored;
  if (layers.some(({ diffId, blobDigest }) => diffId !== blobDigest)) return known[0];
  const plain = layers.map(({ diffId }) => ({ diffId, size: content.sizeOf(diffId) }));
  return plainManifest({ id, configSize: content.sizeOf(id), layers: plain });
}
