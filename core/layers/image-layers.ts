import { type Abortable, GantryError, invalidArgument, type Logger, messageOf } from '@gantry/sdk';
import type { Content } from '../content/index.ts';
import type { LayerRow, LayerRows } from '../metadata/index.ts';
import { KeyedMutex, randomId, undoSignal } from '../support/index.ts';
import { chainIdsOf, maxDepth } from './chain-id.ts';
import { EarlyLayers } from './early-layers.ts';
import { type LayerSource, LayerUnpacking } from './layer-unpacking.ts';
import { Mending } from './mending.ts';
import { Settling } from './settling.ts';
import { isFilledApart, type Missing, Stacking } from './stacking.ts';
import type { Rootfs } from './types.ts';
import type { Views } from './views.ts';
import type { TreeWorkers } from './worker/pool.ts';

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
}

/** The layers of images: shared, referenced by images and containers, gone when nothing refers to them. */
export class ImageLayers {
  readonly #parts: Parts;
  readonly #unpacking: LayerUnpacking;
  readonly #stacking: Stacking;
  readonly settling: Settling;
  readonly mending: Mending;
  readonly #layers: Map<string, LayerRow>;
  /** Chains that a running operation relies on, and how often. */
  readonly #held = new Map<string, number>();
  readonly #heldBlobs = new Map<string, number>();
  readonly #stagedKeys = new Set<string>();
  readonly #locks = new KeyedMutex();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#unpacking = new LayerUnpacking(parts);
    this.#stacking = new Stacking({ ...parts, unpacking: this.#unpacking });
    const { content, views, workers } = parts;
    const keysOf = (topChain: string): readonly string[] => this.keysOf(topChain);
    this.mending = new Mending({ content, views, workers, stacking: this.#stacking, keysOf, staged: this.#stagedKeys });
    this.settling = new Settling({ ...parts, images: this, mending: this.mending });
    this.#layers = new Map(parts.rows.layers().map((row) => [row.chainId, row]));
  }

  get(chainId: string): LayerRow | undefined {
    return this.#layers.get(chainId);
  }

  all(): readonly LayerRow[] {
    return [...this.#layers.values()];
  }

  /** All of them, each after what it stands on. */
  parentsFirst(): readonly LayerRow[] {
    return this.all().toSorted((left, right) => this.#depth(left) - this.#depth(right));
  }

  /** What the rows say by now of whether the disk has these layers. */
  mark(chainIds: readonly string[], unsettled: string | undefined): void {
    for (const chainId of chainIds) {
      const row = this.#layers.get(chainId);
      if (row !== undefined) this.#layers.set(chainId, { ...row, unsettled });
    }
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
      driver: async () => {
        const name = await graphDriver();
        return isFilledApart(await this.#parts.views.driver(name)) ? name : undefined;
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
    const sizes = await this.#stacking.unpack(missing, options);
    const unsettled = await this.settling.marksOf(missing);
    await this.#stacking.settle(
      missing,
      stacks.flat().map(({ blob }) => blob),
    );
    return this.#staged(missing, { sizes, chainIds, unsettled, undo: undo.move() });
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

  /** Keeps a chain until disposed. */
  holdChain(chainId: string): Disposable {
    this.#hold([chainId]);
    return { [Symbol.dispose]: () => this.#release([chainId]) };
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

  #staged(
    missing: readonly Missing[],
    {
      sizes,
      chainIds,
      unsettled,
      undo,
    }: {
      readonly sizes: ReadonlyMap<string, number>;
      readonly chainIds: StagedLayers['chainIds'];
      readonly unsettled: ReadonlyMap<string, string>;
      readonly undo: AsyncDisposableStack;
    },
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
        ...(unsettled.has(driver) ? { unsettled: unsettled.get(driver) } : {}),
      }),
    );
    return {
      chainIds,
      record: () => {
        for (const row of rows) this.#parts.rows.addLayer(row);
      },
      keep: () => {
        for (const row of rows) this.#layers.set(row.chainId, row);
        if (rows.some((row) => row.unsettled !== undefined)) this.settling.later();
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
