import { type Content, digestOf } from '../../content/index.ts';
import { sniff } from '../../layers/index.ts';
import type { ImageManifest } from '../../metadata/index.ts';
import type { Platform } from '../platform.ts';
import { parseManifest } from './oci-manifest.ts';

/** A layer of an image, and the blob that holds it, compressed or not. */
export interface LayerFile {
  readonly diffId: string;
  readonly blobDigest: string;
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const configType = 'application/vnd.oci.image.config.v1+json';
const layerType = 'application/vnd.oci.image.layer.v1.tar';

/** Of what an image came with, or went under, the manifest whose layers are the very blobs that are stored: the image can go on under its digest. */
export function storedManifest(manifests: readonly ImageManifest[], layers: readonly LayerFile[]): ImageManifest | undefined {
  return manifests.find(({ bytes, digest }) => {
    const named = parseManifest(bytes, `manifest ${digest}`).layers;
    return named.length === layers.length && named.every((layer, at) => layer.digest === layers[at]?.blobDigest);
  });
}

/** An index of these images: the same bytes for the same ones in the same order. */
export function imageIndex(images: readonly { readonly manifest: ImageManifest; readonly platform: Platform }[]): ImageManifest {
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const manifests = images.map(({ manifest, platform: { os, architecture, variant } }) => ({
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.bytes.length,
    platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
  }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  return { mediaType, digest: digestOf(bytes), bytes };
}

/** The one manifest of an image whose layers are plain tars: the same bytes whoever writes it. */
export function plainManifest({
  layers,
  ...image
}: {
  readonly id: string;
  readonly configSize: number;
  readonly layers: readonly { readonly diffId: string; readonly size: number }[];
}): ImageManifest {
  return imageManifest({ ...image, layers: layers.map(({ diffId, size }) => ({ mediaType: layerType, digest: diffId, size })) });
}

/** Of an image with the blobs that are stored, whatever they are compressed with. */
export function manifestAsStored(
  content: Pick<Content, 'sizeOf' | 'head'>,
  { id, layers }: { readonly id: string; readonly layers: readonly LayerFile[] },
): ImageManifest {
  const described = layers.map(({ blobDigest }) => {
    const form = sniff(content.head(blobDigest));
    const mediaType = form === 'gzip' || form === 'zstd' ? `${layerType}+${form}` : layerType;
    return { mediaType, digest: blobDigest, size: content.sizeOf(blobDigest) };
  });
  return imageManifest({ id, configSize: content.sizeOf(id), layers: described });
}

function imageManifest({
  id,
  configSize,
  layers,
}: {
  readonly id: string;
  readonly configSize: number;
  readonly layers: readonly { readonly mediaType: string; readonly digest: string; readonly size: number }[];
}): ImageManifest {
  const config = { mediaType: configType, digest: id, size: configSize };
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers }));
  return { mediaType: manifestType, digest: digestOf(bytes), bytes };
}
