import type { HistoryEntry, Image } from '@gantry/sdk/engine';
import { chainIdsOf } from '../layers/index.ts';
import type { LayerRow } from '../metadata/index.ts';
import type { ImageRow } from '../metadata/index.ts';
import { familiarName, familiarText, parseReference } from './reference.ts';
import type { Parts } from './types.ts';

/** An image as the engine's interface shows it; `references` are those of its own to show, canonical. */
export function viewImage(
  { store, layers }: Pick<Parts, 'store' | 'layers'>,
  row: ImageRow,
  references = store.referencesOf(row.id),
): Image {
  const config = store.configOrEmpty(row.id);
  const chain = chainOf({ layers }, row);
  const comment = typeof config['comment'] === 'string' ? config['comment'] : '';
  return {
    id: row.id,
    parent: row.parent,
    repoTags: tagsOf(references),
    repoDigests: digestsOf(references),
    created: config.created ?? '',
    sizeBytes: chain.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    config,
    chainIds: chainIdsOf(config.rootfs.diff_ids),
    graphDriver: chain[0]?.driver ?? '',
    graphData: {},
    lastTagged: row.lastTagged,
    comment: comment === '' ? (config.history?.at(-1)?.comment ?? '') : comment,
  };
}

/** Newest first; a step has an id where an image of this engine stands for it. */
export function historyOf({ store, layers }: Pick<Parts, 'store' | 'layers'>, row: ImageRow): readonly HistoryEntry[] {
  const sizes = chainOf({ layers }, row).map(({ sizeBytes }) => sizeBytes);
  const newestFirst = (store.config(row.id).history ?? [])
    .map((step) => ({ ...step, sizeBytes: step.empty_layer === true ? 0 : (sizes.pop() ?? 0) }))
    .toReversed();
  let image: ImageRow | undefined = row;
  return newestFirst.map((step) => {
    if (image === undefined) return { ...step, id: '<missing>', tags: [] };
    const { id, parent }: ImageRow = image;
    image = store.find(parent);
    return { ...step, id, tags: tagsOf(store.referencesOf(id)) };
  });
}

/** Familiar, without those that are digests. */
export function tagsOf(references: readonly string[]): readonly string[] {
  return references.filter((text) => !text.includes('@')).map((text) => familiarText(parseReference(text)));
}

/** The layers, the top one first. */
export function chainOf({ layers }: Pick<Parts, 'layers'>, { topChain }: ImageRow): readonly LayerRow[] {
  return topChain === undefined ? [] : layers.images.rowsOf(topChain);
}

function digestsOf(references: readonly string[]): readonly string[] {
  return references
    .map((text) => parseReference(text))
    .flatMap((reference) => (reference.digest === undefined ? [] : [`${familiarName(reference)}@${reference.digest}`]));
}
