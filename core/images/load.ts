import { type Abortable, invalidArgument, notFound } from '@gantry/sdk';
import type { OnProgress } from '@gantry/sdk/engine';
import type { LayerSource } from '../layers/index.ts';
import type { ImageManifest } from '../metadata/index.ts';
import { failpoint, shortId } from '../support/index.ts';
import { announce } from './announce.ts';
import { readDockerArchive } from './archive/docker-archive.ts';
import type { FoundImage } from './archive/found-image.ts';
import { plainManifest } from './archive/manifest.ts';
import type { Members } from './archive/members.ts';
import { readOciLayout } from './archive/oci-layout.ts';
import { splitArchive } from './archive/split.ts';
import { fits, hostPlatform, parsePlatform, type Platform, platformText } from './platform.ts';
import { type NewImage, type PublishedImage, publishImages } from './publish.ts';
import { canonicalText, familiarText, type Reference } from './reference.ts';
import type { Parts } from './types.ts';

export interface LoadedImage {
  readonly id: string;
  readonly reference?: string;
  /** The image that had the reference before. */
  readonly replaced?: string;
}

/** All images of a Docker archive or OCI layout, or none of them: nothing gets a name before everything was checked and unpacked. */
export async function loadImages(
  parts: Parts,
  tar: AsyncIterable<Buffer>,
  { onProgress, platform, signal }: { readonly onProgress?: OnProgress; readonly platform?: string } & Abortable,
): Promise<readonly LoadedImage[]> {
  const wanted = platform === undefined ? undefined : parsePlatform(platform);
  // What looks like a layer is unpacked while the archive still arrives.
  await using early = parts.layers.images.early({ graphDriver: parts.graphDriver, signal });
  await using archive = await splitArchive(tar, {
    content: parts.content,
    onFile: (file) => early.begin(file),
    signal,
  });
  failpoint('load.validate');
  const found = findImages(archive.members, wanted);
  for (const { id, config } of found) {
    if (!fits(config, hostPlatform())) parts.log.warn({ image: id, architecture: config.architecture }, 'image is for another machine');
  }
  const images: NewImage[] = [];
  for (const image of found) images.push(await withFiles(archive.members, image));
  failpoint('load.layer');
  const published = await publishImages(parts, images, { signal, early, ...progressOf(images, onProgress) });
  const shown = published.filter(({ id, references }) => references.every(({ reference }) => isPreferred(parts, id, reference)));
  for (const { id } of shown) announce(parts, 'load', id);
  return shown.flatMap(resultsOf);
}

/** What is for several platforms is told once. A name may mean another image already: that is told, too. */
function isPreferred({ store }: Parts, id: string, reference: Reference): boolean {
  const images = store.imagesOf(canonicalText(reference));
  return images[0] === id || !images.includes(id);
}

/** Those for a platform, when one is asked for; an archive that has none of it is refused. */
function findImages(members: Members, wanted: Platform | undefined): readonly FoundImage[] {
  const found = readImages(members, wanted ?? hostPlatform());
  if (wanted === undefined) return found;
  const fitting = found.filter(({ config }) => fits(config, wanted));
  if (fitting.length > 0) return fitting;
  const platforms = found.map(({ config }) => platformText(config));
  throw notFound(`the archive has no image for ${platformText(wanted)}`, {
    hint: platforms.length === 0 ? 'it has no image at all' : `it has ${[...new Set(platforms)].slice(0, 20).join(', ')}`,
  });
}

function readImages(members: Members, platform: Platform): readonly FoundImage[] {
  if (members.has('manifest.json')) return readDockerArchive(members);
  if (members.has('index.json')) return readOciLayout(members, platform);
  throw invalidArgument('invalid archive: does not contain a manifest.json', {
    hint: members.has('repositories')
      ? 'it was written by a Docker older than 1.10: load and save it with a newer one'
      : 'an archive of images is what docker save writes; a plain file system is for docker import',
  });
}

async function withFiles(members: Members, { configBytes, config, layers, references, ...found }: FoundImage): Promise<NewImage> {
  const sources: LayerSource[] = [];
  for (const [at, diffId] of config.rootfs.diff_ids.entries()) {
    sources.push({ diffId, blob: await members.file(layers[at] ?? '', `layer ${at}`) });
  }
  const { parent, manifest, index } = found;
  return {
    configBytes,
    layers: sources,
    references,
    ...(parent === undefined ? {} : { parent }),
    index,
    ...(manifest === undefined || (index === undefined && isPlain(manifest, found.id, { configBytes, layers: sources }))
      ? {}
      : { manifest }),
  };
}

/** What any engine would write of plain layers says nothing of where the image comes from: pushed, it may as well be compressed. */
function isPlain({ digest }: ImageManifest, id: string, { configBytes, layers }: Pick<NewImage, 'configBytes' | 'layers'>): boolean {
  const plain = layers.map(({ diffId, blob }) => ({ diffId, size: blob.sizeBytes }));
  return digest === plainManifest({ id, configSize: configBytes.length, layers: plain }).digest;
}

function progressOf(images: readonly NewImage[], onProgress: OnProgress | undefined) {
  if (onProgress === undefined) return {};
  const sizes = new Map(images.flatMap(({ layers }) => layers.map(({ diffId, blob }) => [diffId, blob.sizeBytes] as const)));
  return {
    onUnpacked: (diffId: string): void => {
      const total = sizes.get(diffId) ?? 0;
      onProgress({ status: 'Loading layer', id: shortId(diffId), progressDetail: { current: total, total } });
    },
  };
}

function resultsOf({ id, references }: PublishedImage): readonly LoadedImage[] {
  if (references.length === 0) return [{ id }];
  return references.map(({ reference, replaced }) => ({
    id,
    reference: familiarText(reference),
    ...(replaced === undefined ? {} : { replaced }),
  }));
}
