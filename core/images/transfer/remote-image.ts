import { dataLoss, invalidArgument, notFound } from '@gantry/sdk';
import type { ImageConfig } from '@gantry/sdk/engine';
import { digestOf } from '../../content/index.ts';
import type { ImageManifest } from '../../metadata/index.ts';
import { type Descriptor, describesImage, isConfigType, isIndexType, isLayerType } from '../archive/descriptor.ts';
import { parseIndex, parseManifest } from '../archive/oci-manifest.ts';
import { parseImageConfig } from '../config/image-config.ts';
import { maxDocumentBytes } from '../json/parse.ts';
import { bestFit, fits, noneFor, type Platform, platformText } from '../platform.ts';
import { familiarText, type Reference } from '../reference.ts';
import type { RegistryCall } from './registry-call.ts';

/** What a reference means at a registry: an image's manifest, or an index of them for several platforms. */
export interface RemoteTag extends ImageManifest {
  /** For messages: "busybox:latest". */
  readonly about: string;
}

export interface ImageAtRegistry {
  /** What the tag is, when it is for several platforms. */
  readonly index: ImageManifest | undefined;
  readonly manifest: ImageManifest;
  readonly configBytes: Buffer;
  readonly config: ImageConfig;
  /** The lowest first, one for each diff id. */
  readonly layers: readonly Descriptor[];
}

/** An index in an index in an index. */
const maxIndexDepth = 3;

export async function lookUp(reference: Reference, { driver, place, context, signal }: RegistryCall): Promise<RemoteTag> {
  const { descriptor, bytes } = await driver.resolve(
    { ...place, reference: reference.digest ?? reference.tag ?? 'latest' },
    context(signal),
  );
  const about = familiarText(reference);
  const digest = digestOf(bytes);
  if (reference.digest !== undefined && digest !== reference.digest) throw dataLoss(`${about}: the manifest came as ${digest}`);
  return { about, mediaType: descriptor.mediaType, digest, bytes };
}

/** Reads the small documents of the image for a platform; what they say of each other is checked, no layer is touched. */
export async function readRemote(
  tag: RemoteTag,
  wanted: { readonly platform: Platform; readonly isExplicit: boolean },
  call: RegistryCall,
): Promise<ImageAtRegistry> {
  const manifest = await choose(tag, wanted.platform, call);
  const { config: described, layers } = parseManifest(manifest.bytes, `manifest ${manifest.digest}`);
  if (!isConfigType(described.mediaType)) throw noImage(tag.about, described.mediaType);
  const configBytes = await smallBlob(described, call);
  const config = parseImageConfig(configBytes, `config ${described.digest}`);
  if (wanted.isExplicit && !fits(config, wanted.platform)) throw noneFor(tag.about, [config], wanted.platform);
  checkLayers(layers, { config, manifest: manifest.digest });
  const index = isIndexType(tag.mediaType) ? { mediaType: tag.mediaType, digest: tag.digest, bytes: tag.bytes } : undefined;
  return { index, manifest, configBytes, config, layers };
}

/** Follows indexes to the manifest for the platform. */
async function choose(tag: RemoteTag, platform: Platform, { driver, place, context, signal }: RegistryCall): Promise<ImageManifest> {
  let found: ImageManifest = tag;
  for (let depth = 0; isIndexType(found.mediaType); depth += 1) {
    if (depth === maxIndexDepth) throw invalidArgument(`${tag.about}: indexes are nested more than ${maxIndexDepth} deep`);
    const offers = parseIndex(found.bytes, `index ${found.digest}`).filter(describesImage);
    const offer = bestFit(offers, (each) => each.platform, platform);
    if (offer === undefined) {
      const offered = offers.flatMap((each) => (each.platform === undefined ? [] : [platformText(each.platform)]));
      throw notFound(`${tag.about}: no matching manifest for ${platformText(platform)} in the manifest list entries`, {
        hint:
          offered.length === 0
            ? 'the index names no image'
            : `it has ${[...new Set(offered)].slice(0, 20).join(', ')}: choose one with --platform`,
      });
    }
    const { descriptor, bytes } = await driver.resolve({ ...place, reference: offer.digest }, context(signal));
    if (digestOf(bytes) !== offer.digest) throw dataLoss(`${tag.about}: manifest ${offer.digest} came as ${digestOf(bytes)}`);
    found = { mediaType: descriptor.mediaType, digest: offer.digest, bytes };
  }
  return found;
}

async function smallBlob(described: Descriptor, { driver, place, context, signal }: RegistryCall): Promise<Buffer> {
  const { mediaType, digest, size, where } = described;
  if (size > maxDocumentBytes) throw invalidArgument(`${where} has ${size} bytes, at most ${maxDocumentBytes}`);
  const parts: Buffer[] = [];
  for await (const chunk of driver.fetch({ ...place, descriptor: { mediaType, digest, size }, offset: 0 }, context(signal)))
    parts.push(Buffer.from(chunk));
  const bytes = Buffer.concat(parts);
  if (bytes.length !== size || digestOf(bytes) !== digest)
    throw dataLoss(`${where}: blob ${digest} came as ${digestOf(bytes)} of ${bytes.length} bytes`);
  return bytes;
}

function checkLayers(
  layers: readonly Descriptor[],
  { config, manifest }: { readonly config: ImageConfig; readonly manifest: string },
): void {
  const expected = config.rootfs.diff_ids.length;
  if (layers.length !== expected) throw invalidArgument(`manifest ${manifest} has ${layers.length} layers, its config has ${expected}`);
  for (const { where, mediaType } of layers) {
    if (!isLayerType(mediaType)) throw invalidArgument(`${where} has the unknown media type ${JSON.stringify(mediaType.slice(0, 80))}`);
  }
}

function noImage(about: string, mediaType: string): Error {
  const isPlugin = mediaType === 'application/vnd.docker.plugin.v1+json' || mediaType.startsWith('application/vnd.gantry.plugin.');
  const what = `${about} is no image: its config is ${JSON.stringify(mediaType.slice(0, 80))}`;
  return isPlugin ? invalidArgument(what, { hint: `it is a plugin: install it with plugin install ${about}` }) : invalidArgument(what);
}
