import { invalidArgument, notFound } from '@gantry/sdk';
import type { Descriptor } from '@gantry/sdk/transport';
import { isDigest } from '../content/index.ts';
import { parseObject } from './documents.ts';
import { maxTreeBytes } from './tree.ts';

/** What a plugin looks like at a registry. */
export interface Artifact {
  readonly kind: 'docker' | 'gantry';
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export const mediaTypes = {
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.plugin.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  config: 'application/vnd.gantry.plugin.v1+json',
} as const;

const mostLayers = 128;

/** Reads a manifest; `invalid_argument` when it is no plugin's. `about` names it. */
export function readArtifact(bytes: Buffer, about: string): Artifact {
  const document = parseObject(bytes, about);
  const config = descriptor(document['config'], `${about}: config`);
  const layers = document['layers'];
  if (!Array.isArray(layers) || layers.length > mostLayers)
    throw invalidArgument(`${about}: layers must be a list of at most ${mostLayers}`);
  const kind = config.mediaType === mediaTypes.dockerConfig ? 'docker' : config.mediaType === mediaTypes.config ? 'gantry' : undefined;
  if (kind === undefined) {
    const isImage = /container\.image|oci\.image\.config/.test(config.mediaType);
    throw invalidArgument(`${about} is no plugin: its config is ${JSON.stringify(config.mediaType.slice(0, 100))}`, {
      hint: isImage ? 'it is an image: pull it instead' : 'Docker plugins and those that were pushed by Gantry can be installed',
    });
  }
  const found = layers.map((layer: unknown, at) => descriptor(layer, `${about}: layers[${at}]`));
  if (found.reduce((sum, { size }) => sum + size, 0) > maxTreeBytes)
    throw invalidArgument(`${about}: layers of more than ${maxTreeBytes} bytes`);
  return { kind, config, layers: found };
}

/** The digest of the manifest that an index names for this machine; undefined for what is no index. */
export function chooseManifest({ mediaType }: Descriptor, bytes: Buffer, about: string): string | undefined {
  if (!/\.(manifest\.list|image\.index)\./.test(mediaType)) return undefined;
  const { manifests } = parseObject(bytes, about);
  const architecture = { x64: 'amd64', ia32: '386' }[process.arch as string] ?? process.arch;
  const fitting = (Array.isArray(manifests) ? manifests : []).find((entry: unknown) => {
    const platform: unknown = Object(Object(entry)['platform']);
    return Reflect.get(platform as object, 'os') === 'linux' && Reflect.get(platform as object, 'architecture') === architecture;
  });
  if (fitting === undefined) throw notFound(`${about}: no matching manifest for linux/${architecture} in the manifest list entries`);
  return descriptor(fitting, `${about}: manifests`).digest;
}

function descriptor(value: unknown, where: string): Descriptor {
  if (typeof value !== 'object' || value === null) throw invalidArgument(`${where} is no descriptor`);
  const { mediaType, digest, size } = value as Readonly<Record<string, unknown>>;
  if (typeof mediaType !== 'string') throw invalidArgument(`${where} has no media type`);
  if (!isDigest(digest)) throw invalidArgument(`${where} has no sha256 digest`);
  if (!Number.isSafeInteger(size) || Number(size) < 0) throw invalidArgument(`${where} has no size`);
  return { mediaType, digest, size: Number(size) };
}
