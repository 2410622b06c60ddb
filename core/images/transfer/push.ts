import { GantryError, notFound } from '@gantry/sdk';
import { digestOf } from '../../content/index.ts';
import type { ImageManifest } from '../../metadata/index.ts';
import { failpoint, Turns } from '../../support/index.ts';
import { storedManifest } from '../archive/manifest.ts';
import { parseManifest } from '../archive/oci-manifest.ts';
import { canonicalText, familiarName, familiarText, parseReference, type Reference, repositoryOf, withDefaultTag } from '../reference.ts';
import type { Parts } from '../types.ts';
import { chainOf } from '../view.ts';
import { type LayerToPush, LayerUpload } from './layer-upload.ts';
import { type RegistryCall, registryCall, shortDigest, type TransferOptions } from './registry-call.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const configType = 'application/vnd.oci.image.config.v1+json';
const layerType = 'application/vnd.oci.image.layer.v1.tar';
/** Layers at once. */
const maxAtOnce = 5;

/**
 * Sends the images that these names mean to the registry of their repository. Blobs first, the manifest last: what others see there is whole. An
 * image that came with a manifest goes as it came, under the same digest; other layers that are stored plain are compressed on the way.
 */
export async function pushImage(
  parts: Parts,
  text: string,
  { images, ...options }: TransferOptions & { readonly images?: readonly string[] },
): Promise<void> {
  const named = parseReference(text);
  if (images !== undefined) return pushUnder(parts, named, { images, call: await registryCall(parts, named, options) });
  const tags = tagsOf(parts, named);
  const call = await registryCall(parts, named, options);
  call.onProgress({ status: `The push refers to repository [${repositoryOf(named)}]` });
  for (const tag of tags) await pushTag(parts, tag, call);
}

/** One that the user named, or all of the repository. */
function tagsOf({ store }: Parts, named: Reference): readonly Reference[] {
  const missing = (): Error =>
    notFound(`An image does not exist locally with the tag: ${familiarName(named)}`, { hint: 'give it that name with tag, or pull it' });
  if (named.digest !== undefined) throw new GantryError('invalid_argument', 'cannot push a digest reference');
  if (named.tag !== undefined) {
    if (store.imageOf(canonicalText(named)) === undefined) throw missing();
    return [named];
  }
  const tags = store.referencesIn(repositoryOf(named)).filter((reference) => !reference.includes('@'));
  if (tags.length === 0) throw missing();
  return tags.map(parseReference);
}

/** These images, whatever the name means here: one of them as it is, several as one index. Here nothing is named by it. */
async function pushUnder(
  parts: Parts,
  named: Reference,
  { images, call }: { readonly images: readonly string[]; readonly call: RegistryCall },
): Promise<void> {
  if (named.digest !== undefined) throw new GantryError('invalid_argument', 'cannot push a digest reference');
  const { tag } = withDefaultTag(named);
  const ids = [...new Set(images.map((image) => parts.store.resolve(image).row.id))];
  const [only] = ids;
  if (ids.length === 1 && only !== undefined) return void (await pushOne(parts, { id: only, reference: tag ?? '' }, call));
  const manifests: object[] = [];
  for (const id of ids) {
    const { mediaType, digest, bytes } = await pushOne(parts, { id, reference: undefined }, call);
    const { os, architecture, variant } = parts.store.config(id);
    manifests.push({
      mediaType,
      digest,
      size: bytes.length,
      platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
    });
  }
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  await call.driver.putManifest({ ...call.place, reference: tag ?? '', mediaType, bytes }, call.context(call.signal));
}

async function pushTag(parts: Parts, tag: Reference, call: RegistryCall): Promise<void> {
  const id = parts.store.imageOf(canonicalText(tag)) ?? '';
  const manifest = await pushOne(parts, { id, reference: tag.tag ?? '' }, call);
  const { bytes } = manifest;
  record(parts, tag, { id, manifest });
  call.onProgress({ status: `${tag.tag ?? ''}: digest: ${manifest.digest} size: ${bytes.length}` });
  call.onProgress({ progressDetail: {}, aux: { Tag: tag.tag, Digest: manifest.digest, Size: bytes.length } });
  parts.events.publish('image', 'push', familiarText(tag), { ...parts.store.configOrEmpty(id).config?.Labels, name: familiarName(tag) });
}

/** Blobs and manifest of one image, under a tag or, without one, under its digest. */
async function pushOne(
  parts: Parts,
  { id, reference }: { readonly id: string; readonly reference: string | undefined },
  call: RegistryCall,
): Promise<ImageManifest> {
  const layers = chainOf(parts, parts.store.get(id)).toReversed();
  using _held = parts.layers.images.holdBlobs(layers.map(({ blobDigest }) => blobDigest));
  const upload = new LayerUpload(parts, call);
  for (const layer of layers) call.onProgress({ status: 'Preparing', progressDetail: {}, id: shortDigest(layer.diffId) });
  const isWhole = storedManifest(parts.store.manifestsOf(id), layers) !== undefined;
  const pushed = await inTurns(layers, (layer) => upload.send(layer, { asStored: isWhole }));
  const configBytes = parts.content.readSmall(id);
  await upload.sendBytes(configBytes);
  failpoint('push.manifest');
  const manifest = manifestOf(parts, { id, configBytes, layers: pushed });
  const { mediaType, bytes, digest } = manifest;
  await call.driver.putManifest({ ...call.place, reference: reference ?? digest, mediaType, bytes }, call.context(call.signal));
  return manifest;
}

interface Pushed {
  readonly id: string;
  readonly configBytes: Buffer;
  readonly layers: readonly LayerToPush[];
}

/** The one that it came with where that says the same; else a new one. */
function manifestOf({ store }: Parts, { id, configBytes, layers }: Pushed): ImageManifest {
  const known = store.manifestsOf(id).find(({ bytes, digest }) => {
    const named = parseManifest(bytes, `manifest ${digest}`).layers;
    return named.length === layers.length && named.every((layer, at) => layer.digest === layers[at]?.digest);
  });
  if (known !== undefined) return known;
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

/** From now on the image is known by the digest that it has there too. */
function record(
  { store }: Parts,
  { domain, path }: Reference,
  { id, manifest }: { readonly id: string; readonly manifest: ImageManifest },
): void {
  if (store.find(id) === undefined) return; // removed meanwhile
  const name = canonicalText({ domain, path, digest: manifest.digest });
  store.change({ name: new Map([[name, id]]), manifests: new Map([[id, manifest]]) });
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
