import { type Reply, reply, type ScriptedRegistry, scriptedRegistry } from '../servers/scripted-registry.ts';
import { digestOf } from '../images/image-archive.ts';
import { endOfArchive, entry } from '../images/tar-builder.ts';

export const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
export const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
};
/** A layer of one small file. */
export const small = (name: string): Buffer => Buffer.concat([entry(name, `this is ${name}`), endOfArchive]);

export interface Served {
  readonly name: string;
  readonly blobs: readonly Buffer[];
  readonly manifest: Buffer;
  readonly mediaType?: string;
  readonly also?: Readonly<Record<string, Reply>>;
  readonly delayMs?: number;
}

/** A registry that has one tag, `acme/NAME:1`. */
export function served({ name, blobs, manifest, mediaType = types.manifest, also = {}, delayMs = 0 }: Served): Promise<ScriptedRegistry> {
  const late =
    (bytes: Buffer): Reply =>
    (request, response, body) =>
      void setTimeout(() => reply(200, bytes)(request, response, body), delayMs);
  return scriptedRegistry({
    ...Object.fromEntries(blobs.map((blob) => [blobPath(name, blob), late(blob)] as const)),
    [`GET /v2/acme/${name}/manifests/1`]: reply(200, manifest, { 'content-type': mediaType }),
    ...also,
  });
}

export function blobPath(name: string, blob: Buffer): string {
  return `GET /v2/acme/${name}/blobs/${digestOf(blob)}`;
}

export function configOf(diffIds: readonly string[], of = architecture): Buffer {
  return Buffer.from(JSON.stringify({ architecture: of, os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: diffIds } }));
}

export function manifestOf(config: Buffer, layers: readonly (readonly [string, Buffer])[], configType = types.config): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: configType, digest: digestOf(config), size: config.length },
      layers: layers.map(([mediaType, layer]) => ({ mediaType, digest: digestOf(layer), size: layer.length })),
    }),
  );
}
