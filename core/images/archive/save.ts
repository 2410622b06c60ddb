import type { Abortable } from '@gantry/sdk';
import { type Content, digestOf } from '../../content/index.ts';
import { endOfArchive, paddingBytes, tarHeader } from '../../layers/index.ts';
import { familiarName, familiarText, type Reference, repositoryOf } from '../reference.ts';
import { type LayerFile, withPlainLayer } from './plain-layer.ts';

/** An image and the tags that are to go with it. */
export interface ImageToSave {
  readonly id: string;
  readonly configBytes: Buffer;
  /** The lowest first. */
  readonly layers: readonly LayerFile[];
  readonly tags: readonly Reference[];
}

/**
 * One tar that is a Docker archive and an OCI layout at once, as `docker save` writes it since version 25. Layers are plain tars under
 * their diff ids, everything is sorted and from 1970: the same images give the same bytes, in whatever order they are asked for.
 */
export async function* saveArchive(content: Content, images: readonly ImageToSave[], { signal }: Abortable): AsyncIterable<Buffer> {
  const sorted = images.toSorted((left, right) => (left.id < right.id ? -1 : 1));
  const sizes = new Map<string, number>();
  const layers = new Map(sorted.flatMap((image) => image.layers.map((layer) => [layer.diffId, layer] as const)));
  yield Buffer.concat([folder('blobs/'), folder('blobs/sha256/')]);
  for (const [diffId, layer] of [...layers].toSorted(([left], [right]) => (left < right ? -1 : 1))) {
    yield* withPlainLayer(content, layer, { signal, onSize: (sizeBytes) => sizes.set(diffId, sizeBytes) });
  }
  const described = sorted.map((image) => describe(image, sizes));
  const documents = new Map(
    described.flatMap(({ image, manifest }) => [image.configBytes, manifest].map((bytes) => [digestOf(bytes), bytes])),
  );
  for (const [digest, bytes] of [...documents].toSorted(([left], [right]) => (left < right ? -1 : 1))) yield file(blobName(digest), bytes);
  yield file('index.json', json(indexOf(described)));
  yield file('manifest.json', json(described.map(entryOf)));
  yield file('oci-layout', json({ imageLayoutVersion: '1.0.0' }));
  yield file('repositories', json(repositoriesOf(described)));
  yield endOfArchive;
}

export function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}
interface Described {
  readonly image: ImageToSave;
  readonly layers: readonly Descriptor[];
  readonly manifest: Buffer;
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

function describe(image: ImageToSave, sizes: ReadonlyMap<string, number>): Described {
  const mediaType = 'application/vnd.oci.image.layer.v1.tar';
  const layers = image.layers.map(({ diffId }) => ({ mediaType, digest: diffId, size: sizes.get(diffId) ?? 0 }));
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: image.id, size: image.configBytes.length };
  return { image, layers, manifest: json({ schemaVersion: 2, mediaType: manifestType, config, layers }) };
}

function indexOf(described: readonly Described[]): unknown {
  const manifests = described.flatMap(({ image, manifest }): readonly unknown[] => {
    const descriptor = { mediaType: manifestType, digest: digestOf(manifest), size: manifest.length };
    if (image.tags.length === 0) return [descriptor];
    return image.tags.map((reference) => ({
      ...descriptor,
      annotations: {
        'io.containerd.image.name': `${repositoryOf(reference)}:${reference.tag}`,
        'org.opencontainers.image.ref.name': reference.tag,
      },
    }));
  });
  return { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
}

function entryOf({ image, layers }: Described): unknown {
  return {
    Config: blobName(image.id),
    RepoTags: image.tags.length === 0 ? null : image.tags.map(familiarText),
    Layers: layers.map(({ digest }) => blobName(digest)),
    ...(layers.length === 0 ? {} : { LayerSources: Object.fromEntries(layers.map((layer) => [layer.digest, layer])) }),
  };
}

function repositoriesOf(described: readonly Described[]): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const names = new Map<string, Record<string, string>>();
  for (const { image, layers } of described) {
    const top = layers.at(-1)?.digest.slice('sha256:'.length);
    for (const reference of top === undefined ? [] : image.tags) {
      names.set(familiarName(reference), { ...names.get(familiarName(reference)), [reference.tag ?? '']: top ?? '' });
    }
  }
  return Object.fromEntries([...names].toSorted(([left], [right]) => (left < right ? -1 : 1)));
}

function file(name: string, bytes: Buffer): Buffer {
  const header = tarHeader({ type: '0', name: Buffer.from(name), mode: 0o644, size: bytes.length });
  return Buffer.concat([header, bytes, Buffer.alloc(paddingBytes(bytes.length))]);
}

function folder(name: string): Buffer {
  return tarHeader({ type: '5', name: Buffer.from(name), mode: 0o755 });
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
