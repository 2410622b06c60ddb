import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { type Abortable, GantryError, invalidArgument } from '@gantry/sdk';
import type { GraphDriver } from '@gantry/sdk/graph';
import type { Content, Ingested } from '../content/index.ts';
import { failpoint } from '../support/index.ts';
import type { EarlyLayer } from './early-layers.ts';
import type { LayerSource, LayerUnpacking, Unpacked } from './layer-unpacking.ts';
import type { Snapshot, Views } from './views.ts';
import type { TreeWorkers } from './worker/pool.ts';
import { needsLowerLayers } from './worker/unpack-rules.ts';

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
    const unpack: Unpack = async (layer, way) => {
      const unpacked = await this.#unpack(layer, way, options);
      sizes.set(layer.chainId, unpacked.sizeBytes);
      options.onUnpacked?.(layer.source.diffId);
      return unpacked;
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

  async #unpackApart(missing: readonly Missing[], unpack: Unpack, options: Abortable): Promise<void> {
    const { unpacking } = this.#parts;
    for (const layer of missing) await (layer.early?.prepared ?? unpacking.prepare(layer, options));
    // Each layer's own changes are a tree of their own: order does not matter, so all threads can work.
    const results = await settleAll(missing, (layer) => unpackAlone(layer, unpack));
    // What a layer left unsaid is as below it, and so on down: from here on, parents first.
    for (const [at, layer] of missing.entries()) {
      const implied = results[at];
      if (implied === undefined || !(await unpacking.inherit(layer, implied, options))) await unpack(layer, 'over');
    }
  }

  /** Copies of whole trees: each begins with what is below it. */
  async #unpackInOrder(
    missing: readonly Missing[],
    driver: GraphDriver,
    { unpack, signal }: { readonly unpack: Unpack } & Abortable,
  ): Promise<void> {
    for (const layer of missing) {
      await this.#parts.unpacking.prepare(layer, { signal });
      await unpack(layer, 'merged');
      await driver.commit({ key: layer.key, name: layer.key, chain: layer.chain }, this.#parts.views.context(signal));
    }
  }

  async #unpack(layer: Missing, way: Way, { signal }: Abortable): Promise<Unpacked> {
    const unpacked = await this.#unpackBy(way, layer, { signal });
    const { source } = layer;
    if (unpacked.diffId !== source.diffId) throw invalidArgument(`invalid diffID: expected "${source.diffId}", got "${unpacked.diffId}"`);
    return unpacked;
  }

  #unpackBy(way: Way, layer: Missing, { signal }: Abortable): Promise<Unpacked> {
    const { unpacking } = this.#parts;
    if (way === 'over') return unpacking.unpackOver(layer, layer.source, { signal });
    if (way === 'changes' && layer.early !== undefined) return layer.early.unpacked;
    return unpacking.unpack(layer, layer.source, { view: way, signal });
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

/** Into a tree of its own; into one that holds the layers below; or into the latter after the former was not enough. */
type Way = 'changes' | 'merged' | 'over';
type Unpack = (layer: Missing, way: Way) => Promise<Unpacked>;

/** The folders that it did not name; undefined when it needs the layers below. */
async function unpackAlone(layer: Missing, unpack: Unpack): Promise<readonly string[] | undefined> {
  try {
    return (await unpack(layer, 'changes')).implied;
  } catch (error) {
    if (GantryError.is(error) && error.reason === needsLowerLayers && layer.chain.length > 0) return undefined;
    throw error;
  }
}

/** All at once; when one fails the first failure counts, after the others have ended. */
async function settleAll<In, Out>(items: readonly In[], work: (item: In) => Promise<Out>): Promise<readonly Out[]> {
  const results = await Promise.allSettled(items.map(work));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
