import { createHash } from 'node:crypto';
import { endOfArchive, entry } from './tar-builder.ts';

export interface ImageOptions {
  /** `docker` as `docker save` of old and new engines writes it; `oci` is a plain image layout without manifest.json. */
  readonly format?: 'docker' | 'oci';
  readonly reference?: string;
  /** Layer tars, the lowest first; uncompressed. */
  readonly layers: readonly Buffer[];
  /** The `config` part of the image's config: Cmd, Env, … */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly architecture?: string;
}

export interface ImageArchive {
  readonly archive: Buffer;
  /** Digest of the config: Docker's image id. */
  readonly imageId: string;
  readonly manifestDigest: string;
  readonly diffIds: readonly string[];
}

/** An image as one tar, the same bytes for the same input. */
export function makeImage({ format = 'docker', reference, layers, config = {}, architecture = machine() }: ImageOptions): ImageArchive {
  const diffIds = layers.map(digestOf);
  const configBlob = json({
    architecture,
    os: 'linux',
    created: epoch,
    config,
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: diffIds.map((diffId) => ({ created: epoch, created_by: `made for a test: ${diffId.slice(0, 19)}` })),
  });
  const manifestBlob = json({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(configBlob), size: configBlob.length },
    layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf(layer), size: layer.length })),
  });
  const files = [...new Map([...layers, configBlob, manifestBlob].map((blob) => [blobPath(digestOf(blob)), blob]))];
  files.push(['oci-layout', json({ imageLayoutVersion: '1.0.0' })], ['index.json', index(manifestBlob, reference)]);
  if (format === 'docker') {
    const tags = reference === undefined ? null : [reference];
    files.push(['manifest.json', json([{ Config: blobPath(digestOf(configBlob)), RepoTags: tags, Layers: diffIds.map(blobPath) }])]);
  }
  return {
    archive: Buffer.concat([...files.map(([path, data]) => entry(path, data)), endOfArchive]),
    imageId: digestOf(configBlob),
    manifestDigest: digestOf(manifestBlob),
    diffIds,
  };
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

const epoch = '1970-01-01T00:00:00Z';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';

function index(manifest: Buffer, reference: string | undefined): Buffer {
  const annotations =
    reference === undefined
      ? {}
      : { 'io.containerd.image.name': reference, 'org.opencontainers.image.ref.name': reference.slice(reference.lastIndexOf(':') + 1) };
  const descriptor = { mediaType: manifestType, digest: digestOf(manifest), size: manifest.length, annotations };
  return json({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [descriptor] });
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function machine(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}
