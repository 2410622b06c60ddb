import { invalidArgument } from '@gantry/sdk';
import type { ImageConfig } from '@gantry/sdk/engine';
import { digestOf } from '../../content/index.ts';
import { parseImageConfig } from '../config/image-config.ts';
import { asObject } from '../json/shape.ts';
import { fits, type Platform, platformText } from '../platform.ts';
import { parseReference, type Reference, withDefaultTag } from '../reference.ts';
import { type Descriptor, describesImage, isConfigType, isIndexType, isLayerType, isManifestType } from './descriptor.ts';
import type { FoundImage } from './found-image.ts';
import type { Members } from './members.ts';
import { parseIndex, parseManifest } from './oci-manifest.ts';

/** An index in an index in an index. */
const maxIndexDepth = 3;

/**
 * The images of a tar of an OCI image layout (image-spec, image-layout.md): each descriptor of index.json is one image, or leads to an index of
 * images for several platforms, of which those count whose blobs are in the archive. Those for `platform` come first. Everything that is read
 * is checked against the digest and size that named it.
 */
export function readOciLayout(members: Members, platform: Platform): readonly FoundImage[] {
  const layout = asObject(members.document('oci-layout'), 'oci-layout');
  if (layout['imageLayoutVersion'] !== '1.0.0') throw invalidArgument('oci-layout.imageLayoutVersion is not "1.0.0"');
  const descriptors = parseIndex(members.bytes('index.json', 'index.json'), 'index.json').filter(describesImage);
  if (descriptors.length === 0) throw invalidArgument('index.json names no image');
  const found = new Map<string, FoundImage>();
  const there = descriptors.filter((descriptor) => descriptors.length === 1 || isWanted(members, descriptor, platform));
  for (const descriptor of there) {
    for (const image of imagesAt(members, descriptor, platform)) {
      const key = `${image.id} ${image.index?.digest ?? ''}`;
      const references = [...(found.get(key)?.references ?? []), ...namesOf(descriptor)];
      found.set(key, { ...image, references });
    }
  }
  if (found.size === 0) throw noMatch('index.json', platform);
  return [...found.values()].toSorted((left, right) => Number(fits(right.config, platform)) - Number(fits(left.config, platform)));
}

/** What this machine can use must be there. */
function isWanted(members: Members, descriptor: Descriptor, platform: Platform): boolean {
  const { platform: offered } = descriptor;
  return offered === undefined || fits(offered, platform) || (isLinux(descriptor) && isThere(members, descriptor.digest));
}

function imagesAt(members: Members, descriptor: Descriptor, platform: Platform): readonly FoundImage[] {
  if (isManifestType(descriptor.mediaType)) return [readImage(members, descriptor)];
  if (!isIndexType(descriptor.mediaType))
    throw invalidArgument(`${descriptor.where} has the unknown media type ${JSON.stringify(descriptor.mediaType.slice(0, 80))}`);
  const images = imagesBelow(members, descriptor);
  if (images.length === 0) throw noMatch(`index ${descriptor.digest}`, platform);
  return images;
}

/** The images of an index whose blobs are there; of several for the same platform the first. */
export function imagesBelow(members: Members, descriptor: Descriptor): readonly FoundImage[] {
  const index = { mediaType: descriptor.mediaType, digest: descriptor.digest, bytes: blobOf(members, descriptor) };
  const found = new Map<string, FoundImage>();
  for (const offer of manifestsBelow(members, descriptor, { depth: 1, seen: new Set() })) {
    const image = readWhole(members, offer);
    if (image === undefined) continue;
    const isSaid = (offer.platform?.architecture ?? '') !== '';
    const platform = platformText(isSaid ? (offer.platform ?? {}) : image.config);
    if (!found.has(platform)) found.set(platform, { ...image, index });
  }
  return [...found.values()];
}

/** Follows indexes, each once. */
function* manifestsBelow(
  members: Members,
  descriptor: Descriptor,
  { depth, seen }: { readonly depth: number; readonly seen: Set<string> },
): Generator<Descriptor> {
  if (depth > maxIndexDepth) throw invalidArgument(`${descriptor.where}: indexes are nested more than ${maxIndexDepth} deep`);
  for (const offer of parseIndex(blobOf(members, descriptor), `index ${descriptor.digest}`).filter(describesImage)) {
    const isNew = !seen.has(offer.digest);
    seen.add(offer.digest);
    if (!isNew || !isLinux(offer) || !isThere(members, offer.digest)) continue;
    if (isIndexType(offer.mediaType)) yield* manifestsBelow(members, offer, { depth: depth + 1, seen });
    else if (isManifestType(offer.mediaType)) yield offer;
    else throw invalidArgument(`${offer.where} has the unknown media type ${JSON.stringify(offer.mediaType.slice(0, 80))}`);
  }
}

function isLinux({ platform }: Descriptor): boolean {
  return ['', 'linux'].includes(platform?.os ?? '');
}

function isThere(members: Members, digest: string): boolean {
  return members.mayHave(blobName(digest));
}

/** Nothing when some of its blobs are not in the archive: who saved it had other platforms only. */
function readWhole(members: Members, descriptor: Descriptor): FoundImage | undefined {
  const { config, layers } = parseManifest(blobOf(members, descriptor), `manifest ${descriptor.digest}`);
  return [config, ...layers].every(({ digest }) => isThere(members, digest)) ? readImage(members, descriptor) : undefined;
}
function readImage(members: Members, descriptor: Descriptor): FoundImage {
  const { mediaType, digest } = descriptor;
  const bytes = blobOf(members, descriptor);
  const manifest = parseManifest(bytes, `manifest ${digest}`);
  if (!isConfigType(manifest.config.mediaType)) {
    throw invalidArgument(
      `manifest ${digest} is no container image: its config is ${JSON.stringify(manifest.config.mediaType.slice(0, 80))}`,
    );
  }
  const configBytes = blobOf(members, manifest.config);
  const config = parseImageConfig(configBytes, `config ${manifest.config.digest}`);
  checkLayers(members, { layers: manifest.layers, config, manifest: digest });
  const layers = manifest.layers.map((layer) => blobName(layer.digest));
  return { id: manifest.config.digest, configBytes, config, layers, references: [], manifest: { mediaType, digest, bytes } };
}

function checkLayers(
  members: Members,
  { layers, config, manifest }: { readonly layers: readonly Descriptor[]; readonly config: ImageConfig; readonly manifest: string },
): void {
  const expected = config.rootfs.diff_ids.length;
  if (layers.length !== expected) throw invalidArgument(`manifest ${manifest} has ${layers.length} layers, its config has ${expected}`);
  for (const layer of layers) {
    if (!isLayerType(layer.mediaType))
      throw invalidArgument(`${layer.where} has the unknown media type ${JSON.stringify(layer.mediaType.slice(0, 80))}`);
    const member = members.regular(blobName(layer.digest), layer.where);
    const sizeBytes = member.kind === 'file' ? member.sizeBytes : member.bytes.length;
    checkBlob(layer, { sizeBytes, digest: member.kind === 'file' ? member.digest : digestOf(member.bytes) });
  }
}

function blobOf(members: Members, descriptor: Descriptor): Buffer {
  const bytes = members.bytes(blobName(descriptor.digest), descriptor.where);
  checkBlob(descriptor, { sizeBytes: bytes.length, digest: digestOf(bytes) });
  return bytes;
}

function checkBlob({ where, digest, size }: Descriptor, found: { readonly sizeBytes: number; readonly digest: string }): void {
  if (found.digest !== digest) throw invalidArgument(`${where}: blob ${digest} has the digest ${found.digest}`);
  if (found.sizeBytes !== size) throw invalidArgument(`${where}: blob ${digest} has ${found.sizeBytes} bytes, not ${size}`);
}

function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** A bare tag ("latest"), which the specification allows, says of which repository nothing. */
export function namesOf({ annotations, where }: Descriptor): readonly Reference[] {
  const full = annotations['io.containerd.image.name'];
  const short = annotations['org.opencontainers.image.ref.name'];
  const name = full ?? (short !== undefined && /[/:]/.test(short) ? short : undefined);
  if (name === undefined) return [];
  const reference = withDefaultTag(parseReference(name));
  if (reference.digest !== undefined) throw invalidArgument(`${where}: the name ${JSON.stringify(name)} is a digest, not a tag`);
  return [reference];
}

function noMatch(where: string, platform: Platform): Error {
  return invalidArgument(`${where}: no matching manifest for ${platformText(platform)}`);
}
