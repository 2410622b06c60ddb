import { statSync } from 'node:fs';
import { type Abortable, GantryError, invalidArgument, type Logger, messageOf } from '@gantry/sdk';
import type { Content } from '../content/index.ts';
import type { LayerRow, LayerRows } from '../metadata/index.ts';
import { failpoint, KeyedMutex, randomId, undoSignal } from '../support/index.ts';
import { chainIdsOf, maxDepth } from './chain-id.ts';
import { type EarlyLayer, EarlyLayers } from './early-layers.ts';
import { type LayerSource, LayerUnpacking } from './layer-unpacking.ts';
import type { Rootfs } from './types.ts';
import type { Views } from './views.ts';
import type { TreeWorkers } from './worker/pool.ts';
import { needsLowerLayers } from './worker/unpacker.ts';
import { Writeback } from './writeback.ts';

/** Unpacked and on the disk, and not yet known: `record` inside the transaction that makes the image, then `keep`. Disposed before: gone. */
export interface StagedLayers extends AsyncDisposable {
  /** Writes the rows; throws what the store throws. */
  record(): void;
  keep(): void;
  /** Chain ids by stack, the lowest first. */
  readonly chainIds: readonly (readonly string[])[];
}

export interface StageOptions extends Abortable {
  readonly graphDriver: string;
  readonly onUnpacked?: (diffId: string) => void;
  /** What was begun before it was known what it is for. */
  readonly early?: EarlyLayers;
}

interface Parts {
  readonly rows: LayerRows;
  readonly content: Content;
  readonly views: Views;
  readonly workers: TreeWorkers;
  readonly log: Logger;
  readonly dataRoot: string;
}

/** One layer that has to be unpacked. */
interface Missing {
  readonly chainId: string;
  readonly parent: string | undefined;
  readonly source: LayerSource;
  readonly key: string;
  readonly driver: string;
  readonly chain: readonly string[];
  readonly early: EarlyLayer | undefined;
}

/** The layers of images: shared, referenced by images and containers, gone when nothing refers to them. */
export class ImageLayers {
  readonly #parts: Parts;
  readonly #unpacking: LayerUnpacking;
  readonly #layers: Map<string, LayerRow>;
  /** Chains that a running operation relies on, and how often. */
  readonly #held = new Map<string, number>();
  readonly #heldBlobs = new Map<string, number>();
  readonly #stagedKeys = new Set<string>();
  readonly #locks = new KeyedMutex();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#unpacking = new LayerUnpacking(parts);
    this.#layers = new Map(parts.rows.layers().map((row) => [row.chainId, row]));
  }

  get(chainId: string): LayerRow | undefined {
    return this.#layers.get(chainId);
  }

  all(): readonly LayerRow[] {
    return [...this.#layers.values()];
  }

  /** Keys of the snapshots of a chain, nearest first. */
  keysOf(topChain: string): readonly string[] {
    return this.rowsOf(topChain).map(({ key }) => key);
  }

  /** From the top down. Throws `not_found` for a chain that is not there. */
  rowsOf(topChain: string): readonly LayerRow[] {
    const rows: LayerRow[] = [];
    for (let chainId = topChain === '' ? undefined : topChain; chainId !== undefined; ) {
      const row = this.#layers.get(chainId);
      if (row === undefined) throw new GantryError('not_found', `layer ${chainId} does not exist`);
      rows.push(row);
      chainId = row.parent;
    }
    return rows;
  }

  /** A read-only view of the whole tree of a chain. */
  async show(topChain: string, { signal }: Abortable = {}): Promise<Rootfs> {
    const [top, ...below] = this.rowsOf(topChain);
    if (top === undefined) throw invalidArgument('an image without layers has no files');
    this.#hold([topChain]);
    try {
      const shown = await this.#parts.views.show(
        { driver: top.driver, key: top.key, chain: below.map(({ key }) => key) },
        { readOnly: true, view: 'merged', signal },
      );
      return {
        path: shown.path,
        [Symbol.asyncDispose]: async () => {
          await shown[Symbol.asyncDispose]();
          this.#release([topChain]);
        },
      };
    } catch (error) {
      this.#release([topChain]);
      throw error;
    }
  }

  /**
   * For files that are probably layers, while it is not known yet of what: pass it to `stage`, which takes over what turns out to be
   * needed. Disposing removes the rest.
   */
  early({ graphDriver, signal }: { readonly graphDriver: () => Promise<string> } & Abortable): EarlyLayers {
    return new EarlyLayers({
      unpacking: this.#unpacking,
      writeback: new Writeback(this.#parts.dataRoot),
      driver: async () => {
        const name = await graphDriver();
        return (await this.#parts.views.driver(name)).features.includes('changes') ? name : undefined;
      },
      isKnown: (digest) => this.all().some((row) => row.blobDigest === digest || row.diffId === digest),
      staged: (key) => void this.#stagedKeys.add(key),
      discard: (driver, key) => this.#discardSnapshot(driver, key),
      signal,
    });
  }

  /**
   * Unpacks what is missing of these stacks and verifies every diff id. Two callers with the same layer: the second waits and finds
   * it done. Abort or failure leaves nothing.
   */
  async stage(stacks: readonly (readonly LayerSource[])[], options: StageOptions): Promise<StagedLayers> {
    const chainIds = stacks.map((stack) => chainIdsOf(stack.map(({ diffId }) => diffId)));
    for (const chain of chainIds) {
      if (chain.length > maxDepth) throw invalidArgument(`max depth exceeded: ${chain.length} layers, at most ${maxDepth}`);
    }
    const held = [...new Set(chainIds.flat())].toSorted();
    const blobs = stacks.flat().map(({ blob }) => blob.digest);
    await using undo = new AsyncDisposableStack();
    this.#hold(held);
    undo.defer(() => this.#release(held));
    count(this.#heldBlobs, blobs, 1);
    undo.defer(() => count(this.#heldBlobs, blobs, -1));
    // Sorted, so that two stackings with layers in common cannot wait for each other.
    for (const chainId of held) if (!this.#layers.has(chainId)) undo.use(await this.#locks.acquire(chainId, options));
    await options.early?.begun();
    const missing = this.#missing(stacks, chainIds, options);
    undo.defer(() => this.#discard(missing));
    for (const { key } of missing) this.#stagedKeys.add(key);
    const sizes = await this.#unpackAll(missing, options);
    await this.#settle(missing, stacks.flat(), options.early?.writeback);
    return this.#staged(missing, { sizes, chainIds, undo: undo.move() });
  }

  /** Forgets and deletes what no image, container or running operation refers to. Answers the bytes that this freed. */
  async releaseUnused(): Promise<number> {
    const used = new Set<string>();
    for (const top of [...this.#parts.rows.usedChains(), ...this.#held.keys()]) {
      for (
        let row = this.#layers.get(top);
        row !== undefined && !used.has(row.chainId);
        row = row.parent === undefined ? undefined : this.#layers.get(row.parent)
      ) {
        used.add(row.chainId);
      }
    }
    const unused = [...this.#layers.values()].filter(({ chainId }) => !used.has(chainId));
    if (unused.length === 0) return 0;
    const childrenFirst = unused.toSorted((left, right) => this.#depth(right) - this.#depth(left));
    const inits = this.#parts.rows.initLayers().filter(({ topChain }) => topChain !== '' && !used.has(topChain));
    this.#parts.rows.transaction(() => {
      for (const { key } of inits) this.#parts.rows.removeInitLayer(key);
      for (const { chainId } of childrenFirst) this.#parts.rows.removeLayer(chainId);
    });
    for (const { chainId } of childrenFirst) this.#layers.delete(chainId);
    for (const { driver, key } of [...inits, ...childrenFirst]) await this.#removeSnapshot(driver, key);
    await this.#removeBlobs(new Set(unused.map(({ blobDigest }) => blobDigest)));
    return unused.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** Whether nothing refers to the blob as a layer. */
  isBlobFree(digest: string): boolean {
    return !this.#heldBlobs.has(digest) && !this.all().some(({ blobDigest }) => blobDigest === digest);
  }

  /** Keeps a blob from collection until disposed. */
  holdBlobs(digests: readonly string[]): Disposable {
    count(this.#heldBlobs, digests, 1);
    return { [Symbol.dispose]: () => count(this.#heldBlobs, digests, -1) };
  }

  /** Whether a running operation made this snapshot. */
  isStaged(key: string): boolean {
    return this.#stagedKeys.has(key);
  }

  #missing(
    stacks: readonly (readonly LayerSource[])[],
    chainIds: readonly (readonly string[])[],
    { graphDriver, early: earlyLayers }: StageOptions,
  ): readonly Missing[] {
    const missing = new Map<string, Missing>();
    for (const [at, stack] of stacks.entries()) {
      let keys: readonly string[] = [];
      // A layer is of the driver that has those below it: no driver shows another one's snapshots.
      const driver = chainIds[at]?.map((chainId) => this.#layers.get(chainId)?.driver).find((known) => known !== undefined) ?? graphDriver;
      for (const [depth, source] of stack.entries()) {
        const chainId = chainIds[at]?.[depth] ?? '';
        const parent = depth === 0 ? undefined : chainIds[at]?.[depth - 1];
        let key = this.#layers.get(chainId)?.key ?? missing.get(chainId)?.key;
        if (key === undefined) {
          const early = earlyLayers?.take(driver, source.blob.digest);
          key = early?.key ?? randomId();
          missing.set(chainId, { chainId, parent, source, key, driver, chain: keys, early });
        }
        keys = [key, ...keys];
      }
    }
    return [...missing.values()];
  }

  async #unpackAll(missing: readonly Missing[], options: StageOptions): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for (const [name, layers] of Map.groupBy(missing, ({ driver }) => driver)) await this.#unpackBy(name, layers, { sizes, options });
    return sizes;
  }

  async #unpackBy(
    name: string,
    missing: readonly Missing[],
    { sizes, options }: { readonly sizes: Map<string, number>; readonly options: StageOptions },
  ): Promise<void> {
    const driver = await this.#parts.views.driver(name);
    const unpack = async (layer: Missing, view: 'merged' | 'changes'): Promise<void> => {
      sizes.set(layer.chainId, await this.#unpack(layer, view, options));
      options.onUnpacked?.(layer.source.diffId);
    };
    if (!driver.features.includes('changes')) {
      for (const layer of missing) {
        await this.#unpacking.prepare(layer, options);
        await unpack(layer, 'merged');
        await driver.commit({ key: layer.key, name: layer.key, chain: layer.chain }, this.#parts.views.context(options.signal));
      }
      return;
    }
    for (const layer of missing) if (layer.early === undefined) await this.#unpacking.prepare(layer, options);
    // Each layer's own changes are a tree of their own: order does not matter, so all threads can work.
    const late = await settleAll(missing, (layer) => this.#unpackAlone(layer, unpack));
    for (const layer of late) await unpack(layer, 'merged');
  }

  /** The layer again when it needs the ones below it. */
  async #unpackAlone(layer: Missing, unpack: (layer: Missing, view: 'changes') => Promise<void>): Promise<Missing | undefined> {
    try {
      await unpack(layer, 'changes');
      return undefined;
    } catch (error) {
      if (GantryError.is(error) && error.reason === needsLowerLayers && layer.chain.length > 0) return layer;
      throw error;
    }
  }

  async #unpack(layer: Missing, view: 'merged' | 'changes', { signal }: Abortable): Promise<number> {
    const { source, early } = layer;
    const isEarly = early !== undefined && view === 'changes';
    const { diffId, sizeBytes } = isEarly ? await early.unpacked : await this.#unpacking.unpack(layer, source, { view, signal });
    if (diffId !== source.diffId) throw invalidArgument(`invalid diffID: expected "${source.diffId}", got "${diffId}"`);
    return sizeBytes;
  }

  /** Everything to the disk in one go, then the names: parents first. */
  async #settle(missing: readonly Missing[], sources: readonly LayerSource[], begun: Writeback | undefined): Promise<void> {
    const { views, content, dataRoot } = this.#parts;
    const places = [dataRoot, ...new Set(missing.map(({ driver }) => views.dataDir(driver)))];
    failpoint('layer.syncfs');
    for (const [device, path] of new Map(places.map((place) => [statSync(place).dev, place])))
      if (device === begun?.device) await this.#sync(begun);
      else await this.#syncAt(path);
    failpoint('layer.commit');
    for (const { driver, key, chain } of missing) {
      await (await views.driver(driver)).commit({ key, name: key, chain }, views.context());
    }
    await content.adopt(
      [...new Map(sources.map(({ blob }) => [blob.digest, blob])).values()].filter(({ path, digest }) => path !== content.path(digest)),
    );
  }

  async #syncAt(path: string): Promise<void> {
    await using writeback = new Writeback(path);
    await this.#sync(writeback);
  }

  async #sync(writeback: Writeback): Promise<void> {
    await writeback.settled();
    await this.#parts.workers.run('sync', { fd: writeback.fd });
  }

  #staged(
    missing: readonly Missing[],
    {
      sizes,
      chainIds,
      undo,
    }: { readonly sizes: ReadonlyMap<string, number>; readonly chainIds: StagedLayers['chainIds']; readonly undo: AsyncDisposableStack },
  ): StagedLayers {
    const rows = missing.map(
      ({ chainId, parent, source, driver, key }): LayerRow => ({
        chainId,
        parent,
        diffId: source.diffId,
        blobDigest: source.blob.digest,
        driver,
        key,
        sizeBytes: sizes.get(chainId) ?? 0,
        createdMs: Date.now(),
      }),
    );
    return {
      chainIds,
      record: () => {
        for (const row of rows) this.#parts.rows.addLayer(row);
      },
      keep: () => {
        for (const row of rows) this.#layers.set(row.chainId, row);
      },
      [Symbol.asyncDispose]: () => undo.disposeAsync(),
    };
  }

  /** Undoes what was not kept. */
  async #discard(missing: readonly Missing[]): Promise<void> {
    for (const { chainId, driver, key, early } of missing.toReversed()) {
      await early?.stop();
      if (this.#layers.get(chainId)?.key === key) this.#stagedKeys.delete(key);
      else await this.#discardSnapshot(driver, key);
    }
  }

  async #discardSnapshot(driver: string, key: string): Promise<void> {
    this.#stagedKeys.delete(key);
    await this.#removeSnapshot(driver, key);
  }

  /** What cannot be deleted now is found by the next collection. */
  async #removeSnapshot(driver: string, key: string): Promise<void> {
    try {
      await (await this.#parts.views.driver(driver)).remove({ key }, this.#parts.views.context(undoSignal(60_000)));
    } catch (error) {
      this.#parts.log.warn({ driver, key, error: messageOf(error) }, 'snapshot stays until the next collection');
    }
  }

  async #removeBlobs(digests: ReadonlySet<string>): Promise<void> {
    for (const digest of digests) if (this.isBlobFree(digest)) await this.#parts.content.remove(digest);
  }

  #depth(row: LayerRow): number {
    let depth = 0;
    for (let at: LayerRow | undefined = row; at?.parent !== undefined; at = this.#layers.get(at.parent)) depth += 1;
    return depth;
  }

  #hold(chainIds: readonly string[]): void {
    count(this.#held, chainIds, 1);
  }

  #release(chainIds: readonly string[]): void {
    count(this.#held, chainIds, -1);
  }
}

function count(counts: Map<string, number>, keys: readonly string[], step: 1 | -1): void {
  for (const key of keys) {
    const next = (counts.get(key) ?? 0) + step;
    if (next === 0) counts.delete(key);
    else counts.set(key, next);
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
