import { invalidArgument } from '@gantry/sdk';
import { checkedDigest, digestOf } from '../../content/index.ts';
import { asObject, asString, list, map, object, optional, refuseLookalikes, string } from '../json/shape.ts';
import type { Platform } from '../platform.ts';

/** What a document of an image says about another blob (OCI image-spec, descriptor.md). */
export interface Descriptor {
  /** Where it was found, for messages. */
  readonly where: string;
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Partial<Platform>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Where else the blob is. */
  readonly urls?: readonly string[];
}

export function readDescriptor(value: unknown, where: string): Descriptor {
  const found = asObject(value, where);
  refuseLookalikes(found, ['mediaType', 'digest', 'size', 'platform', 'annotations', 'data', 'urls'], where);
  optional(map(string))(found['annotations'], `${where}.annotations`);
  optional(object({ os: optional(string), architecture: optional(string), variant: optional(string) }))(
    found['platform'],
    `${where}.platform`,
  );
  optional(list(string))(found['urls'], `${where}.urls`);
  const descriptor = {
    where,
    mediaType: asString(found['mediaType'], `${where}.mediaType`),
    digest: checkedDigest(found['digest']),
    size: sizeOf(found['size'], where),
    annotations: (found['annotations'] ?? {}) as Readonly<Record<string, string>>,
    ...(found['platform'] === undefined || found['platform'] === null ? {} : { platform: found['platform'] as Partial<Platform> }),
    ...(found['urls'] === undefined || found['urls'] === null ? {} : { urls: found['urls'] as readonly string[] }),
  };
  checkData(found['data'], descriptor);
  return descriptor;
}

/** Not the signatures and attestations that build tools put beside the images they belong to. */
export function describesImage({ annotations, platform }: Descriptor): boolean {
  return annotations['vnd.docker.reference.type'] === undefined && platform?.os !== 'unknown';
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === 'application/vnd.oci.image.manifest.v1+json' || mediaType === 'application/vnd.docker.distribution.manifest.v2+json';
}

export function isIndexType(mediaType: string): boolean {
  return (
    mediaType === 'application/vnd.oci.image.index.v1+json' || mediaType === 'application/vnd.docker.distribution.manifest.list.v2+json'
  );
}

export function isConfigType(mediaType: string): boolean {
  return mediaType === 'application/vnd.oci.image.config.v1+json' || mediaType === 'application/vnd.docker.container.image.v1+json';
}

/** What a layer is compressed with is told by its bytes. */
export function isLayerType(mediaType: string): boolean {
  return /^application\/vnd\.(oci\.image\.layer(\.nondistributable)?\.v1\.tar|docker\.image\.rootfs\.(diff|foreign\.diff)\.tar)([.+](gzip|zstd))?$/.test(
    mediaType,
  );
}

function sizeOf(value: unknown, where: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalidArgument(`${where}.size is not a number of bytes`);
}

function checkData(data: unknown, { where, digest, size }: Descriptor): void {
  if (data === undefined || data === null) return;
  const bytes = Buffer.from(asString(data, `${where}.data`), 'base64');
  if (bytes.length !== size || digestOf(bytes) !== digest) throw invalidArgument(`${where}.data is not the blob ${digest}`);
}
