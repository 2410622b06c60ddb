import { invalidArgument } from '@gantry/sdk';
import { parseDocument } from '../json/parse.ts';
import { asList, asObject, refuseLookalikes } from '../json/shape.ts';
import { type Descriptor, isIndexType, isManifestType, readDescriptor } from './descriptor.ts';

export interface Manifest {
  readonly config: Descriptor;
  /** The lowest first. */
  readonly layers: readonly Descriptor[];
}

const keys = ['schemaVersion', 'mediaType', 'config', 'layers', 'manifests', 'annotations', 'subject', 'artifactType'];

/**
 * An image manifest (OCI image-spec, manifest.md). `invalid_argument` for one that could also be read as an index, or that says it is
 * something else: the same bytes must mean the same to everybody (CVE-2021-41190).
 */
export function parseManifest(bytes: Uint8Array, where: string): Manifest {
  const document = readDocument(bytes, where, isManifestType);
  if ('manifests' in document) throw invalidArgument(`${where} is both a manifest and an index`);
  return {
    config: readDescriptor(document['config'], `${where}.config`),
    layers: asList(document['layers'], `${where}.layers`).map((layer, at) => readDescriptor(layer, `${where}.layers[${at}]`)),
  };
}

/** An image index (OCI image-spec, image-index.md), with the same care. */
export function parseIndex(bytes: Uint8Array, where: string): readonly Descriptor[] {
  const document = readDocument(bytes, where, isIndexType);
  if ('config' in document || 'layers' in document) throw invalidArgument(`${where} is both a manifest and an index`);
  return asList(document['manifests'], `${where}.manifests`).map((item, at) => readDescriptor(item, `${where}.manifests[${at}]`));
}

function readDocument(bytes: Uint8Array, where: string, isExpected: (mediaType: string) => boolean): Readonly<Record<string, unknown>> {
  const document = asObject(parseDocument(bytes, where), where);
  refuseLookalikes(document, keys, where);
  if (document['schemaVersion'] !== 2) throw invalidArgument(`${where}.schemaVersion is not 2`);
  const { mediaType } = document;
  if (mediaType !== undefined && (typeof mediaType !== 'string' || !isExpected(mediaType))) {
    throw invalidArgument(`${where}.mediaType is ${JSON.stringify(mediaType)?.slice(0, 80)}`);
  }
  return document;
}
