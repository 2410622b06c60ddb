import { notFound, notImplemented } from '@gantry/sdk';
import type { Ingested } from '../../content/index.ts';
import { chainIdsOf, type EarlyLayers, type LayerSource } from '../../layers/index.ts';
import { failpoint } from '../../support/index.ts';
import { type Descriptor, isIndexType } from '../archive/descriptor.ts';
import { bestFit, hostPlatform, parsePlatform, type Platform } from '../platform.ts';
import { publishImages } from '../publish.ts';
import { canonicalText, familiarName, familiarText, parseReference, type Reference, withDefaultTag } from '../reference.ts';
import type { Parts } from '../types.ts';
import type { Download, Downloads } from './downloads.ts';
import { LayerBars } from './layer-bars.ts';
import { type RegistryCall, registryCall, type TransferOptions } from './registry-call.ts';
import { lookUp, readRemote, type ImageAtRegistry, type RemoteTag } from './remote-image.ts';

export interface PullOptions extends TransferOptions {
  /** "linux/arm64"; the machine's own unless given. */
  readonly platform?: string | undefined;
  readonly allTags?: boolean;
}

/** The image that a reference means, or all tags of a repository, each whole by itself. */
export async function pullImages(parts: Parts, downloads: Downloads, text: string, options: PullOptions): Promise<void> {
  const reference = parseReference(text);
  const isWhole = options.allTags === true && reference.tag === undefined && reference.digest === undefined;
  const tags = isWhole ? await tagsAt(await registryCall(parts, reference, options), text) : [undefined];
  for (const tag of tags) await pullImage(parts, downloads, withDefaultTag(tag === undefined ? reference : { ...reference, tag }), options);
}

async function tagsAt({ driver, place, context, signal }: RegistryCall, text: string): Promise<readonly string[]> {
  if (driver.tags === undefined) throw notImplemented(`the transport driver cannot list the tags of ${text}`, { hint: 'name one' });
  const { tags } = await driver.tags(place, context(signal));
  if (tags.length === 0) throw notFound(`${text} has no tags`);
  return tags;
}

/**
 * The image that a reference means at its registry: named here, with all its layers, when it resolves. What is here already is not fetched
 * again; layers are unpacked while others still come. Failure and abort leave nothing.
 */
async function pullImage(parts: Parts, downloads: Downloads, reference: Reference, options: PullOptions): Promise<void> {
  const wanted = {
    platform: options.platform === undefined ? hostPlatform() : parsePlatform(options.platform),
    isExplicit: options.platform !== undefined,
  };
  const call = await registryCall(parts, reference, options);
  const tag = await lookUp(reference, call);
  call.onProgress({ status: `Pulling from ${reference.path}`, id: reference.tag ?? reference.digest ?? '' });
  const names = namesFor(reference, tag);
  const before = imagesCalled(parts, names);
  if (!isHere(parts, names, { tag, platform: wanted.platform }))
    await bring(parts, downloads, { names, remote: await readRemote(tag, wanted, call), call });
  call.onProgress({ status: `Digest: ${tag.digest}` });
  const isCurrent = before.length > 0 && imagesCalled(parts, names).every((id) => before.includes(id));
  call.onProgress({ status: `Status: ${isCurrent ? 'Image is up to date' : 'Downloaded newer image'} for ${familiarText(reference)}` });
  announcePull(parts, reference, wanted.platform);
}

/** The tag that was asked for, if one was, and the digest that it means now. */
function namesFor({ domain, path, tag, digest }: Reference, found: RemoteTag): readonly Reference[] {
  const byDigest = { domain, path, digest: found.digest };
  return tag === undefined || digest !== undefined ? [byDigest] : [{ domain, path, tag }, byDigest];
}

function imagesCalled({ store }: Pick<Parts, 'store'>, [name]: readonly Reference[]): readonly string[] {
  return name === undefined ? [] : store.imagesOf(canonicalText(name));
}

/** All names mean what the tag is, and that is here for the platform that is wanted. */
function isHere(
  { store }: Parts,
  names: readonly Reference[],
  { tag, platform }: { readonly tag: RemoteTag; readonly platform: Platform },
): boolean {
  const targets = names.map((name) => store.targetOf(canonicalText(name)) ?? { image: '' });
  const meant = new Set(targets.map((target) => ('image' in target ? target.image : target.index)));
  const isKnown = targets.every((target) =>
    isIndexType(tag.mediaType) ? 'index' in target && target.index === tag.digest : 'image' in target,
  );
  if (!isKnown || meant.size !== 1) return false;
  return bestFit(imagesCalled({ store }, names), (id) => store.configOrEmpty(id), platform) !== undefined;
}

interface Bringing {
  readonly names: readonly Reference[];
  readonly remote: ImageAtRegistry;
  readonly call: RegistryCall;
}

async function bring(parts: Parts, downloads: Downloads, { names, remote, call }: Bringing): Promise<void> {
  const { signal, onProgress } = call;
  const known = knownBlobs(parts, remote);
  // Also those that another pull brings meanwhile.
  using _held = parts.layers.images.holdBlobs([...known, ...remote.layers].map(({ digest }) => digest));
  await using early = parts.layers.images.early({ graphDriver: parts.graphDriver, signal });
  await using arriving = new Arriving({ downloads, early, call });
  const bars = new LayerBars(remote.layers, onProgress);
  for (const [at, layer] of remote.layers.entries()) arriving.want(layer, known[at], bars);
  const blobs = await arriving.all();
  const layers = remote.config.rootfs.diff_ids.map((diffId, at) => sourceOf(diffId, blobs[at]));
  failpoint('pull.publish');
  const { configBytes, manifest, index } = remote;
  await publishImages(parts, [{ configBytes, layers, references: names, manifest, index }], {
    signal,
    early,
    onUnpacked: unpackedIn(bars, layers),
  });
  bars.completeAll();
}

/** Blobs of layers that are here, by their place in the image: what this very chain of layers was made from. */
function knownBlobs({ layers, content }: Parts, { config }: ImageAtRegistry): readonly Ingested[] {
  const known: Ingested[] = [];
  for (const chainId of chainIdsOf(config.rootfs.diff_ids)) {
    const row = layers.images.get(chainId);
    if (row === undefined || !content.has(row.blobDigest)) break;
    known.push({
      path: content.path(row.blobDigest),
      digest: row.blobDigest,
      sizeBytes: content.sizeOf(row.blobDigest),
      onDisk: Promise.resolve(),
    });
  }
  return known;
}

function sourceOf(diffId: string, blob: Ingested | undefined): LayerSource {
  if (blob === undefined) throw new Error(`layer ${diffId} did not come`);
  return { diffId, blob };
}

function unpackedIn(bars: LayerBars, layers: readonly LayerSource[]): (diffId: string) => void {
  return (diffId) => {
    for (const [at, layer] of layers.entries()) if (layer.diffId === diffId) bars.complete(at);
  };
}

/** The layers of one pull; disposing gives up what is still on its way. */
class Arriving implements AsyncDisposable {
  readonly #parts: { readonly downloads: Downloads; readonly early: EarlyLayers; readonly call: RegistryCall };
  readonly #downloads: Download[] = [];
  readonly #files: Promise<Ingested>[] = [];

  constructor(parts: { readonly downloads: Downloads; readonly early: EarlyLayers; readonly call: RegistryCall }) {
    this.#parts = parts;
  }

  want(layer: Descriptor, known: Ingested | undefined, bars: LayerBars): void {
    const at = this.#files.length;
    if (known !== undefined) {
      bars.exists(at);
      this.#files.push(Promise.resolve(known));
      return;
    }
    const { downloads, early, call } = this.#parts;
    const download = downloads.begin(layer, call, bars.of(at));
    this.#downloads.push(download);
    const file = download.file.then((arrived) => {
      bars.arrived(at);
      if (download.isFirst) early.begin(arrived);
      return arrived;
    });
    file.catch(() => undefined); // told by `all`
    this.#files.push(file);
  }

  all(): Promise<readonly Ingested[]> {
    return Promise.all(this.#files);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const download of this.#downloads) await download[Symbol.asyncDispose]();
  }
}

/** As Docker tells it: of the name, not of the image. */
function announcePull({ events, store }: Parts, reference: Reference, platform: Platform): void {
  const images = store.imagesOf(canonicalText(reference));
  const id = bestFit(images, (image) => store.configOrEmpty(image), platform) ?? '';
  const labels = id === '' ? {} : store.configOrEmpty(id).config?.Labels;
  events.publish('image', 'pull', familiarText(reference), { ...labels, name: familiarName(reference) });
}
