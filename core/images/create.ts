import type { Abortable } from '@gantry/sdk';
import type { ContainerConfig, ImageConfig } from '@gantry/sdk/engine';
import type { Ingested } from '../content/index.ts';
import type { LayerSource } from '../layers/index.ts';
import type { LayerRow } from '../metadata/index.ts';
import { parseImageConfig } from './config/image-config.ts';
import { hostPlatform, type Platform } from './platform.ts';
import { publishImages } from './publish.ts';
import type { Reference } from './reference.ts';
import type { Parts } from './types.ts';
import { chainOf } from './view.ts';

/** What a new image adds to its parent. */
export interface Creation extends Abortable {
  /** Image id, or '' for none. */
  readonly parent: string;
  readonly config: ContainerConfig;
  /** Nothing when a step only changes the config. */
  readonly layer: LayerSource | undefined;
  /** RFC 3339; now unless given. */
  readonly created?: string | undefined;
  readonly platform?: Platform;
  readonly createdBy?: string | undefined;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  readonly reference?: Reference | undefined;
  readonly isBuiltHere: boolean;
  /** Further rows for the transaction that makes the image. */
  readonly also?: (imageId: string) => void;
}

/** A plain layer tar in the ingest folder. */
export function plainLayer(blob: Ingested): LayerSource {
  return { diffId: blob.digest, blob };
}

/** The diff id of a tar with nothing in it, 1024 zeros: it makes a step of the history and no layer. */
const emptyDiffId = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

/** Makes an image from a parent, a layer and a config. It is there, named, when this resolves; a failure leaves nothing. */
export async function createImage(parts: Parts, creation: Creation): Promise<string> {
  const created = creation.created ?? new Date().toISOString();
  const parent = creation.parent === '' ? undefined : parts.store.config(creation.parent);
  const layer = creation.layer?.diffId === emptyDiffId ? undefined : creation.layer;
  const configBytes = Buffer.from(JSON.stringify(configOf(parent, creation, { layer, created })));
  parseImageConfig(configBytes, 'image config'); // what changes made of it must load again elsewhere
  const below = creation.parent === '' ? [] : layersOf(parts, creation.parent);
  const layers = layer === undefined ? below : [...below, layer];
  const { parent: parentId, reference, isBuiltHere, signal } = creation;
  const references = reference === undefined ? [] : [reference];
  const [image] = await publishImages(parts, [{ configBytes, layers, references, parent: parentId, isBuiltHere }], {
    taggedAt: new Date().toISOString(),
    signal,
    also: ([made]) => creation.also?.(made?.id ?? ''),
  });
  return image?.id ?? '';
}

/** A layer that is here, as what another image stands on. */
export function layerSourceOf({ content }: Pick<Parts, 'content'>, { diffId, blobDigest }: LayerRow): LayerSource {
  return { diffId, blob: { path: content.path(blobDigest), digest: blobDigest, sizeBytes: 0 } };
}

function layersOf(parts: Parts, image: string): readonly LayerSource[] {
  return chainOf(parts, parts.store.get(image))
    .map((row) => layerSourceOf(parts, row))
    .toReversed();
}

function configOf(
  parent: ImageConfig | undefined,
  { config, platform, author, comment, createdBy }: Creation,
  { layer, created }: { readonly layer: LayerSource | undefined; readonly created: string },
): ImageConfig {
  const { architecture, variant } = platform ?? parent ?? hostPlatform();
  const said = { ...filled('author', author), ...filled('comment', comment) };
  const step = { created, ...filled('created_by', createdBy), ...said, ...(layer === undefined ? { empty_layer: true } : {}) };
  return {
    architecture,
    ...filled('variant', variant),
    os: 'linux',
    created,
    ...said,
    config,
    rootfs: { type: 'layers', diff_ids: [...(parent?.rootfs.diff_ids ?? []), ...(layer === undefined ? [] : [layer.diffId])] },
    history: [...(parent?.history ?? []), step],
  };
}

function filled(key: string, value: string | undefined): Readonly<Record<string, string>> {
  return value === undefined || value === '' ? {} : { [key]: value };
}
