import type { ImageManifestSummary } from '@gantry/sdk/engine';
import type { ImageManifest } from '../metadata/index.ts';
import { type LayerFile, plainManifest, storedManifest } from './archive/manifest.ts';
import type { Parts } from './types.ts';
import { chainOf } from './view.ts';

/**
 * The manifest of an image: the one that its blobs came with, the one that a save would write, or the latest that is known, in this order. None
 * for an image of compressed layers that came without.
 */
export function manifestsOf(parts: Parts, name: string): readonly ImageManifestSummary[] {
  const { row } = parts.store.resolve(name);
  const chain = chainOf(parts, row).toReversed();
  const manifest = manifestOf(parts, row.id, chain);
  if (manifest === undefined) return [];
  const { os, architecture, variant } = parts.store.configOrEmpty(row.id);
  const blobs = [row.id, ...new Set(chain.map(({ blobDigest }) => blobDigest))];
  return [
    {
      descriptor: { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length },
      platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
      contentBytes: blobs.reduce((sum, digest) => sum + parts.content.sizeOf(digest), 0),
      unpackedBytes: chain.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      containers: parts
        .users()
        .usersOf(row.id)
        .map(({ id }) => id),
    },
  ];
}

function manifestOf({ store, content }: Parts, id: string, layers: readonly LayerFile[]): ImageManifest | undefined {
  const known = store.manifestsOf(id);
  const stored = storedManifest(known, layers);
  if (stored !== undefined) return stored;
  if (layers.some(({ diffId, blobDigest }) => diffId !== blobDigest)) return known[0];
  const plain = layers.map(({ diffId }) => ({ diffId, size: content.sizeOf(diffId) }));
  return plainManifest({ id, configSize: content.sizeOf(id), layers: plain });
}
