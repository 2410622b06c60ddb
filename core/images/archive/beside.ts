import { GantryError } from '@gantry/sdk';
import { digestOf } from '../../content/index.ts';
import type { ImageManifest } from '../../metadata/index.ts';
import { type Descriptor, describesImage, isIndexType, isManifestType } from './descriptor.ts';
import type { FoundImage } from './found-image.ts';
import type { Members } from './members.ts';
import { type Manifest, parseIndex, parseManifest } from './oci-manifest.ts';

/** An index in an index in an index. */
const maxIndexDepth = 3;

/**
 * Images of a manifest.json with the OCI manifests that lie in the same archive: pushed, they keep the digest that they had. manifest.json is
 * what counts: a manifest that does not say the same of configs and layers is left where it is.
 */
export function withManifests(members: Members, images: readonly FoundImage[]): readonly FoundImage[] {
  if (!members.has('index.json')) return images;
  const beside = [...manifestsBelow(members, { name: 'index.json', depth: 0 })];
  return images.map((image) => {
    const found = beside.find(({ said }) => said.config.digest === image.id && hasLayers(members, image, said));
    return found === undefined ? image : { ...image, manifest: found.manifest };
  });
}

interface Beside {
  readonly manifest: ImageManifest;
  readonly said: Manifest;
}

function* manifestsBelow(members: Members, { name, depth }: { readonly name: string; readonly depth: number }): Generator<Beside> {
  const descriptors = readOr([], () => parseIndex(members.bytes(name, name), name)).filter(describesImage);
  for (const descriptor of descriptors) {
    const place = `blobs/${descriptor.digest.replace(':', '/')}`;
    if (isIndexType(descriptor.mediaType) && depth < maxIndexDepth) yield* manifestsBelow(members, { name: place, depth: depth + 1 });
    const found = isManifestType(descriptor.mediaType) ? readOr(undefined, () => readBeside(members, descriptor, place)) : undefined;
    if (found !== undefined) yield found;
  }
}

function readBeside(members: Members, { mediaType, digest }: Descriptor, place: string): Beside | undefined {
  const bytes = members.bytes(place, place);
  if (digestOf(bytes) !== digest) return undefined;
  return { manifest: { mediaType, digest, bytes }, said: parseManifest(bytes, place) };
}

function hasLayers(members: Members, { layers }: FoundImage, said: Manifest): boolean {
  const digests = layers.map((name, at) => {
    const member = members.regular(name, `layer ${at}`);
    return member.kind === 'file' ? member.digest : digestOf(member.bytes);
  });
  return digests.length === said.layers.length && digests.every((digest, at) => digest === said.layers[at]?.digest);
}

function readOr<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (GantryError.is(error)) return otherwise;
    throw error;
  }
}
