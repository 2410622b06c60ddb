import { GantryError } from '@gantry/sdk';
import { digestOf } from '../../content/index.ts';
import type { ImageManifest } from '../../metadata/index.ts';
import { canonicalText, type Reference } from '../reference.ts';
import { type Descriptor, describesImage, isIndexType, isManifestType } from './descriptor.ts';
import type { FoundImage } from './found-image.ts';
import type { Members } from './members.ts';
import { imagesBelow, namesOf } from './oci-layout.ts';
import { type Manifest, parseIndex, parseManifest } from './oci-manifest.ts';

/** An index in an index in an index. */
const maxIndexDepth = 3;

/**
 * Images of a manifest.json with the OCI manifests that lie in the same archive: pushed, they keep the digest that they had. manifest.json is
 * what counts: a manifest that does not say the same of configs and layers is left where it is.
 */
export function withManifests(members: Members, images: readonly FoundImage[]): readonly FoundImage[] {
  if (!members.has('index.json')) return images;
  const beside = [...manifestsBelow(members, { name: 'index.json', depth: 0, seen: new Set() })];
  return images.map((image) => {
    const found = beside.find(({ said }) => said.config.digest === image.id && hasLayers(members, image, said));
    return found === undefined ? image : { ...image, manifest: found.manifest };
  });
}

/**
 * Images of a manifest.json with the other platforms that lie beside them: those of an index of index.json that has the same names, and has the
 * image under the manifest that it is known to have.
 */
export function withPlatforms(members: Members, images: readonly FoundImage[]): readonly FoundImage[] {
  if (!members.has('index.json')) return images;
  const indexes = descriptorsOf(members, 'index.json').filter(({ mediaType }) => isIndexType(mediaType));
  const named = new Map<string, { readonly descriptor: Descriptor; readonly names: Set<string> }>();
  for (const descriptor of indexes) {
    const { names } = named.get(descriptor.digest) ?? { names: new Set<string>() };
    for (const reference of readOr([], () => namesOf(descriptor))) names.add(canonicalText(reference));
    named.set(descriptor.digest, { descriptor, names });
  }
  return images.flatMap((image) => {
    const found = [...named.values()].find(({ names }) => hasNames(names, image.references));
    const platforms = found === undefined ? [] : imagesBelow(members, found.descriptor);
    const same = platforms.find(({ id, manifest }) => id === image.id && manifest?.digest === image.manifest?.digest);
    if (same?.index === undefined) return [image];
    const { index } = same;
    const others = platforms.filter((each) => each !== same).map((other) => ({ ...other, references: image.references }));
    return [{ ...image, index }, ...others];
  });
}

function hasNames(names: ReadonlySet<string>, references: readonly Reference[]): boolean {
  return references.length > 0 && references.every((reference) => names.has(canonicalText(reference)));
}

interface Beside {
  readonly manifest: ImageManifest;
  readonly said: Manifest;
}

function descriptorsOf(members: Members, name: string): readonly Descriptor[] {
  return readOr([], () => parseIndex(members.bytes(name, name), name)).filter(describesImage);
}

/** Each once. */
function* manifestsBelow(
  members: Members,
  { name, depth, seen }: { readonly name: string; readonly depth: number; readonly seen: Set<string> },
): Generator<Beside> {
  for (const descriptor of descriptorsOf(members, name)) {
    if (seen.has(descriptor.digest)) continue;
    seen.add(descriptor.digest);
    const place = `blobs/${descriptor.digest.replace(':', '/')}`;
    if (isIndexType(descriptor.mediaType) && depth < maxIndexDepth) yield* manifestsBelow(members, { name: place, depth: depth + 1, seen });
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
