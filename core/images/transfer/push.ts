import { GantryError, notFound } from '@gantry/sdk';
import type { ImageConfig } from '@gantry/sdk/engine';
import type { ImageManifest } from '../../metadata/index.ts';
import { manifestDigestsOf } from '../manifests.ts';
import { imageIndex } from '../archive/manifest.ts';
import { parseIndex } from '../archive/oci-manifest.ts';
import { platformText } from '../platform.ts';
import { canonicalText, familiarName, familiarText, parseReference, type Reference, repositoryOf, withDefaultTag } from '../reference.ts';
import { resolveFor } from '../resolve.ts';
import type { Parts } from '../types.ts';
import { pushOne, putUnder } from './push-one.ts';
import { type RegistryCall, registryCall, type TransferOptions } from './registry-call.ts';

export interface PushOptions extends TransferOptions {
  /** Ids or names of what goes there, whatever the name means here. */
  readonly images?: readonly string[];
  /** Of what is for several platforms the one that goes, as "linux/arm64". */
  readonly platform?: string | undefined;
}

/**
 * Sends the images that these names mean to the registry of their repository. Blobs first, the manifest last: what others see there is whole. An
 * image that came with a manifest goes as it came, under the same digest; other layers that are stored plain are compressed on the way.
 */
export async function pushImage(parts: Parts, text: string, { images, platform, ...options }: PushOptions): Promise<void> {
  const named = parseReference(text);
  if (images !== undefined) return pushUnder(parts, named, { images, call: await registryCall(parts, named, options) });
  const tags = tagsOf(parts, named);
  for (const tag of tags) resolveFor(parts.store, canonicalText(tag), platform);
  const call = await registryCall(parts, named, options);
  call.onProgress({ status: `The push refers to repository [${repositoryOf(named)}]` });
  for (const tag of tags) await pushTag(parts, tag, { call, platform });
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
  const pushed: { readonly manifest: ImageManifest; readonly platform: ImageConfig }[] = [];
  for (const id of ids) {
    pushed.push({ manifest: await pushOne(parts, { id, reference: undefined }, call), platform: parts.store.config(id) });
  }
  await putUnder(call, tag ?? '', imageIndex(pushed));
}

async function pushTag(
  parts: Parts,
  tag: Reference,
  { call, platform }: { readonly call: RegistryCall; readonly platform: string | undefined },
): Promise<void> {
  const { id } = resolveFor(parts.store, canonicalText(tag), platform).row;
  const target = parts.store.targetOf(canonicalText(tag));
  const index = target !== undefined && 'index' in target ? parts.store.index(target.index) : undefined;
  const { manifest, images } =
    index === undefined || (platform ?? '') !== ''
      ? { manifest: await pushOne(parts, { id, reference: tag.tag ?? '', listed: listedIn(index) }, call), images: undefined }
      : await pushIndex(parts, tag, { index, call });
  const { bytes } = manifest;
  if (images === undefined) record(parts, tag, { id, manifest });
  else recordIndex(parts, tag, { images, document: manifest });
  call.onProgress({ status: `${tag.tag ?? ''}: digest: ${manifest.digest} size: ${bytes.length}` });
  call.onProgress({ progressDetail: {}, aux: { Tag: tag.tag, Digest: manifest.digest, Size: bytes.length } });
  parts.events.publish('image', 'push', familiarText(tag), { ...parts.store.configOrEmpty(id).config?.Labels, name: familiarName(tag) });
}

interface PushedTag {
  readonly manifest: ImageManifest;
  /** When it is an index, those of its images that are here. */
  readonly images: readonly string[] | undefined;
}

/**
 * All platforms that are here, and the index as it came where the registry then has all that it names. Where it has not, what is here goes alone: an
 * index of several, of one its manifest.
 */
async function pushIndex(
  parts: Parts,
  tag: Reference,
  { index, call }: { readonly index: ImageManifest; readonly call: RegistryCall },
): Promise<PushedTag> {
  const images = parts.store.imagesIn(index.digest);
  const listed = listedIn(index);
  const own = new Set(images.flatMap((id) => manifestDigestsOf(parts, id)));
  const isWhole = await hasAll(
    call,
    [...listed].filter((digest) => !own.has(digest)),
  );
  const [only] = images.length === 1 ? images : [];
  if (only !== undefined && !isWhole) {
    const manifest = await pushOne(parts, { id: only, reference: tag.tag ?? '', listed }, call);
    const [originalIndex, selectedManifest] = [index, manifest].map(({ mediaType, digest, bytes }) => ({
      mediaType,
      digest,
      size: bytes.length,
    }));
    call.onProgress({ progressDetail: {}, aux: { manifestPushedInsteadOfIndex: true, originalIndex, selectedManifest } });
    return { manifest, images: undefined };
  }
  const pushed: { readonly manifest: ImageManifest; readonly platform: ImageConfig }[] = [];
  for (const id of images) {
    pushed.push({ manifest: await pushOne(parts, { id, reference: undefined, listed }, call), platform: parts.store.config(id) });
  }
  const isSame = isWhole && pushed.every(({ manifest }) => listed.has(manifest.digest));
  if (!isWhole) {
    const platforms = pushed.map(({ platform }) => platformText(platform)).join(', ');
    call.onProgress({ status: `Not all that the index of ${familiarText(tag)} names is here: one of ${platforms} is pushed` });
  }
  const manifest = isSame ? index : imageIndex(pushed);
  await putUnder(call, tag.tag ?? '', manifest);
  return { manifest, images };
}

function listedIn(index: ImageManifest | undefined): ReadonlySet<string> {
  return new Set(index === undefined ? [] : parseIndex(index.bytes, `index ${index.digest}`).map(({ digest }) => digest));
}

/** Whether the repository has these manifests; asked until one is missing. */
async function hasAll({ driver, place, context, signal }: RegistryCall, digests: readonly string[]): Promise<boolean> {
  try {
    for (const reference of digests) await driver.resolve({ ...place, reference }, context(signal));
    return true;
  } catch (error) {
    if (GantryError.is(error)) return false;
    throw error;
  }
}

/** From now on the image is known by the digest that it has there too. */
function record(
  { store }: Parts,
  { domain, path }: Reference,
  { id, manifest }: { readonly id: string; readonly manifest: ImageManifest },
): void {
  if (store.find(id) === undefined) return; // removed meanwhile
  const name = canonicalText({ domain, path, digest: manifest.digest });
  store.change({ name: new Map([[name, { image: id }]]), manifests: new Map([[id, manifest]]) });
}

function recordIndex(
  { store }: Parts,
  { domain, path }: Reference,
  { images, document }: { readonly images: readonly string[]; readonly document: ImageManifest },
): void {
  // More of it may have come meanwhile, or some gone.
  const isKnown = store.imagesIn(document.digest).length > 0;
  if (!isKnown && images.some((id) => store.find(id) === undefined)) return;
  const name = canonicalText({ domain, path, digest: document.digest });
  const indexes = new Map(isKnown ? [] : [[document.digest, { images, document }] as const]);
  store.change({ name: new Map([[name, { index: document.digest }]]), indexes });
}
