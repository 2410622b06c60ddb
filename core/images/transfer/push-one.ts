import { digestOf } from '../../content/index.ts';
import type { ImageManifest } from '../../metadata/index.ts';
import { failpoint, Turns } from '../../support/index.ts';
import { storedManifest } from '../archive/manifest.ts';
import { parseManifest } from '../archive/oci-manifest.ts';
import type { Parts } from '../types.ts';
import { chainOf } from '../view.ts';
import { type LayerToPush, LayerUpload } from './layer-upload.ts';
import { type RegistryCall, shortDigest } from './registry-call.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const configType = 'application/vnd.oci.image.config.v1+json';
const layerType = 'application/vnd.oci.image.layer.v1.tar';
/** Layers at once. */
const maxAtOnce = 5;

/** Makes what was sent visible. */
export async function putUnder(
  { driver, place, context, signal }: RegistryCall,
  reference: string,
  manifest: ImageManifest,
): Promise<void> {
  const { mediaType, bytes } = manifest;
  await driver.putManifest({ ...place, reference, mediaType, bytes }, context(signal));
}

interface ToPush {
  readonly id: string;
  /** A tag; undefined: under its digest alone. */
  readonly reference: string | undefined;
  /** Of several manifests that would do, one of these. */
  readonly listed?: ReadonlySet<string>;
}

/** Blobs and manifest of one image. An image that came with a manifest goes as it came. */
export async function pushOne(parts: Parts, { id, reference, listed = new Set() }: ToPush, call: RegistryCall): Promise<ImageManifest> {
  const layers = chainOf(parts, parts.store.get(id)).toReversed();
  using _held = parts.layers.images.holdBlobs(layers.map(({ blobDigest }) => blobDigest));
  const upload = new LayerUpload(parts, call);
  for (const layer of layers) call.onProgress({ status: 'Preparing', progressDetail: {}, id: shortDigest(layer.diffId) });
  const isWhole = storedManifest(parts.store.manifestsOf(id), layers) !== undefined;
  const pushed = await inTurns(layers, (layer) => upload.send(layer, { asStored: isWhole }));
  const configBytes = parts.content.readSmall(id);
  await upload.sendBytes(configBytes);
  failpoint('push.manifest');
  const manifest = manifestOf(parts, { id, configBytes, layers: pushed, listed });
  await putUnder(call, reference ?? manifest.digest, manifest);
  return manifest;
}

interface Pushed {
  readonly id: string;
  readonly configBytes: Buffer;
  readonly layers: readonly LayerToPush[];
  readonly listed: ReadonlySet<string>;
}

/** The one that it came with where that says the same; else a new one. */
function manifestOf({ store }: Parts, { id, configBytes, layers, listed }: Pushed): ImageManifest {
  const known = store.manifestsOf(id).filter(({ bytes, digest }) => {
    const named = parseManifest(bytes, `manifest ${digest}`).layers;
    return named.length === layers.length && named.every((layer, at) => layer.digest === layers[at]?.digest);
  });
  const [best] = [...known.filter(({ digest }) => listed.has(digest)), ...known];
  if (best !== undefined) return best;
  const document = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: configType, digest: id, size: configBytes.length },
    layers: layers.map(({ digest, sizeBytes, compression }) => ({
      mediaType: compression === 'none' ? layerType : `${layerType}+${compression}`,
      digest,
      size: sizeBytes,
    })),
  };
  const bytes = Buffer.from(JSON.stringify(document));
  return { mediaType: manifestType, digest: digestOf(bytes), bytes };
}

/** Five at once; after a failure no further ones begin, and it is told when those that run have ended. */
async function inTurns<In, Out>(items: readonly In[], work: (item: In) => Promise<Out>): Promise<readonly Out[]> {
  const turns = new Turns(maxAtOnce);
  const failing = new AbortController();
  const one = async (item: In): Promise<Out> => {
    using _turn = await turns.take(failing);
    try {
      return await work(item);
    } catch (error) {
      failing.abort(error);
      throw error;
    }
  };
  const running = items.map(one);
  await Promise.allSettled(running);
  failing.signal.throwIfAborted();
  return await Promise.all(running);
}
