import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { type Abortable, GantryError, invalidArgument } from '@gantry/sdk';
import type { GraphDriver } from '@gantry/sdk/graph';
import type { Content, Ingested } from '../content/index.ts';
import { failpoint } from '../support/index.ts';
import type { EarlyLayer } from './early-layers.ts';
import type { LayerSource, LayerUnpacking } from './layer-unpacking.ts';
import type { Snapshot, Views } from './views.ts';
import type { TreeWorkers } from './worker/pool.ts';
import { needsLowerLayers } from './worker/unpacker.ts';

/** One layer that has to be unpacked. */
export interface Missing extends Snapshot {
  readonly chainId: string;
  readonly parent: string | undefined;
  readonly source: LayerSource;
  readonly early: EarlyLayer | undefined;
}

interface Parts {
  readonly content: Content;
  readonly views: Views;
  readonly workers: TreeWorkers;
  readonly unpacking: LayerUnpacking;
}

/** Stacks of layer files become stacks of snapshots. Failure and abort leave snapshots half made, for the caller to remove. */
export class Stacking {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Parents before children. Verifies every diff id; answers the bytes of files by chain id. */
  async unpack(
    missing: readonly Missing[],
    options: { readonly onUnpacked?: (diffId: string) => void } & Abortable,
  ): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    const unpack = async (layer: Missing, view: 'merged' | 'changes'): Promise<void> => {
      sizes.set(layer.chainId, await this.#unpack(layer, view, options));
      options.onUnpacked?.(layer.source.diffId);
    };
    for (const layers of Map.groupBy(missing, ({ driver }) => driver).values()) {
      const driver = await this.#parts.views.driver(layers[0]?.driver ?? '');
      if (isFilledApart(driver)) await this.#unpackApart(layers, unpack, options);
      else await this.#unpackInOrder(layers, driver, { unpack, ...options });
    }
    return sizes;
  }

  /** To the disk: blobs, and the trees that could not be unpacked again from them alone. Names come after that, parents first. */
  async settle(missing: readonly Missing[], blobs: readonly Ingested[]): Promise<void> {
    const { views, content } = this.#parts;
    failpoint('layer.sync');
    const devices = new Map<number, string>();
    for (const name of new Set(missing.map(({ driver }) => driver))) {
      if (!isFilledApart(await views.driver(name))) devices.set(statSync(views.dataDir(name)).dev, views.dataDir(name));
    }
    for (const path of devices.values()) await this.#syncAt(path);
    failpoint('layer.commit');
    for (const { driver, key, chain } of missing) await (await views.driver(driver)).commit({ key, name: key, chain }, views.context());
    const arrived = new Map(blobs.map((blob) => [blob.digest, blob])).values();
    await content.adopt([...arrived].filter(({ path, digest }) => path !== content.path(digest)));
  }

  async #unpackApart(
    missing: readonly Missing[],
    unpack: (layer: Missing, view: 'merged' | 'changes') => Promise<void>,
    options: Abortable,
  ): Promise<void> {
    for (const layer of missing) await (layer.early?.prepared ?? this.#parts.unpacking.prepare(layer, options));
    // Each layer's own changes are a tree of their own: order does not matter, so all threads can work.
    const late = await settleAll(missing, (layer) => unpackAlone(layer, unpack));
    for (const layer of late) await unpack(layer, 'merged');
  }

  /** Copies of whole trees: each begins with what is below it. */
  async #unpackInOrder(
    missing: readonly Missing[],
    driver: GraphDriver,
    { unpack, signal }: { readonly unpack: (layer: Missing, view: 'merged') => Promise<void> } & Abortable,
  ): Promise<void> {
    for (const layer of missing) {
      await this.#parts.unpacking.prepare(layer, { signal });
      await unpack(layer, 'merged');
      await driver.commit({ key: layer.key, name: layer.key, chain: layer.chain }, this.#parts.views.context(signal));
    }
  }

  async #unpack(layer: Missing, view: 'merged' | 'changes', { signal }: Abortable): Promise<number> {
    const { source, early } = layer;
    const isEarly = early !== undefined && view === 'changes';
    const { diffId, sizeBytes } = isEarly ? await early.unpacked : await this.#parts.unpacking.unpack(layer, source, { view, signal });
    if (diffId !== source.diffId) throw invalidArgument(`invalid diffID: expected "${source.diffId}", got "${diffId}"`);
    return sizeBytes;
  }

  async #syncAt(path: string): Promise<void> {
    await using file = await open(path, 'r');
    await this.#parts.workers.run('sync', { fd: file.fd });
  }
}

/** Whether each snapshot holds only its own changes, so that it can be filled, and filled again, whatever lies below. */
export function isFilledApart({ features }: GraphDriver): boolean {
  return features.includes('changes');
}

/** The layer again when it needs the ones below it. */
async function unpackAlone(
  layer: Missing,
  unpack: (layer: Missing, view: 'merged' | 'changes') => Promise<void>,
): Promise<Missing | undefined> {
  try {
    await unpack(layer, 'changes');
    return undefined;
  } catch (error) {
    if (GantryError.is(error) && error.reason === needsLowerLayers && layer.chain.length > 0) return layer;
    throw error;
  }
}

/** All at once; when one fails the first failure counts, after the others have ended. */
async function settleAll<In, Out>(items: readonly In[], work: (item: In) => Promise<Out | undefined>): Promise<readonly Out[]> {
  const results = await Promise.allSettled(items.map(work));
  const outs: Out[] = [];
  for (const result of results) {
    if (result.status === 'rejected') throw result.reason;
    if (result.value !== undefined) outs.push(result.value);
  }
  return outs;
}
