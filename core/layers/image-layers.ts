import { type Abortable, invalidArgument, type Logger } from '@gantry/sdk';
import type { Content } from '../content/index.ts';
import type { LayerRow, LayerRows } from '../metadata/index.ts';
import { KeyedMutex } from '../support/index.ts';
import { chainIdsOf, maxDepth } from './chain-id.ts';
import { Chains } from './chains.ts';
import { EarlyLayers } from './early-layers.ts';
import { Holds } from './holds.ts';
import { type LayerSource, LayerUnpacking } from './layer-unpacking.ts';
import { Mending } from './mending.ts';
import { missingOf } from './missing-layers.ts';
import { Settling } from './settling.ts';
import { isFilledApart, type Missing, Stacking } from './stacking.ts';
import type { Rootfs, ShowOptions } from './types.ts';
import { UnusedLayers } from './unused-layers.ts';
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
  readonly #chains: Chains;
  readonly #holds = new Holds();
  readonly #unused: UnusedLayers;
  readonly #unpacking: LayerUnpacking;
  readonly #stacking: Stacking;
  readonly settling: Settling;
  readonly mending: Mending;
  readonly #locks = new KeyedMutex();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#chains = new Chains(parts.rows.layers());
    this.#unused = new UnusedLayers({ ...parts, chains: this.#chains, holds: this.#holds });
    this.#unpacking = new LayerUnpacking(parts);
    this.#stacking = new Stacking({ ...parts, unpacking: this.#unpacking });
    const keysOf = (topChain: string): readonly string[] => this.keysOf(topChain);
    this.mending = new Mending({ ...parts, stacking: this.#stacking, keysOf, staged: this.#holds.staged });
    this.settling = new Settling({ ...parts, images: this, mending: this.mending });
  }

  get(chainId: string): LayerRow | undefined {
    return this.#chains.get(chainId);
  }

  all(): readonly LayerRow[] {
    return this.#chains.all();
  }

  /** All of them, each after what it stands on. */
  parentsFirst(): readonly LayerRow[] {
    return this.#chains.parentsFirst();
  }

  /** From the top down. Throws `not_found` for a chain that is not there. */
  rowsOf(topChain: string): readonly LayerRow[] {
    return this.#chains.rowsOf(topChain);
  }

  /** Keys of the snapshots of a chain, nearest first. */
  keysOf(topChain: string): readonly string[] {
    return this.rowsOf(topChain).map(({ key }) => key);
  }

  /** What the rows say by now of whether the disk has these layers. */
  mark(chainIds: readonly string[], unsettled: string | undefined): void {
    for (const chainId of chainIds) {
      const row = this.#chains.get(chainId);
      if (row !== undefined) this.#chains.add({ ...row, unsettled });
    }
  }

  /** A read-only view of the whole tree of a chain. */
  async show(topChain: string, { idMaps, signal }: ShowOptions = {}): Promise<Rootfs> {
    const [top, ...below] = this.rowsOf(topChain);
    if (top === undefined) throw invalidArgument('an image without layers has no files');
    await using held = new AsyncDisposableStack();
    held.use(this.holdChain(topChain));
    const snapshot = { driver: top.driver, key: top.key, chain: below.map(({ key }) => key) };
    const { path } = held.use(await this.#parts.views.show(snapshot, { readOnly: true, view: 'merged', idMaps, signal }));
    const kept = held.move();
    return { path, [Symbol.asyncDispose]: () => kept.disposeAsync() };
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
      staged: (key) => void this.#holds.staged.add(key),
      discard: (driver, key) => this.#unused.discard(driver, key),
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
    undo.use(this.#holds.chains(held));
    undo.use(this.#holds.blobs(blobs));
    // Sorted, so that two stackings with layers in common cannot wait for each other.
    for (const chainId of held) if (!this.#chains.has(chainId)) undo.use(await this.#locks.acquire(chainId, options));
    await options.early?.begun();
    const missing = missingOf(this.#chains, stacks, { ...options, chainIds });
    undo.defer(() => this.#discard(missing));
    for (const { key } of missing) this.#holds.staged.add(key);
    const sizes = await this.#stacking.unpack(missing, options);
    const unsettled = await this.settling.marksOf(missing);
    await this.#stacking.settle(
      missing,
      stacks.flat().map(({ blob }) => blob),
    );
    return this.#staged(missing, { sizes, chainIds, unsettled, undo: undo.move() });
  }

  /** Forgets and deletes what no image, container or running operation refers to. Answers the bytes that this freed. */
  releaseUnused(): Promise<number> {
    return this.#unused.release();
  }

  /** Whether nothing refers to the blob as a layer. */
  isBlobFree(digest: string): boolean {
    return this.#unused.isBlobFree(digest);
  }

  /** Keeps a blob from collection until disposed. */
  holdBlobs(digests: readonly string[]): Disposable {
    return this.#holds.blobs(digests);
  }

  /** Keeps a chain until disposed. */
  holdChain(chainId: string): Disposable {
    return this.#holds.chains([chainId]);
  }

  /** Whether a running operation made this snapshot. */
  isStaged(key: string): boolean {
    return this.#holds.staged.has(key);
  }

  #staged(missing: readonly Missing[], { sizes, chainIds, unsettled, undo }: Unpacked): StagedLayers {
    const rows = missing.map((layer) => rowOf(layer, { sizes, unsettled }));
    return {
      chainIds,
      record: () => {
        for (const row of rows) this.#parts.rows.addLayer(row);
      },
      keep: () => {
        for (const row of rows) this.#chains.add(row);
        if (rows.some((row) => row.unsettled !== undefined)) this.settling.later();
      },
      [Symbol.asyncDispose]: () => undo.disposeAsync(),
    };
  }

  /** Undoes what was not kept. */
  async #discard(missing: readonly Missing[]): Promise<void> {
    for (const { chainId, driver, key, early } of missing.toReversed()) {
      await early?.stop();
      if (this.#chains.get(chainId)?.key === key) this.#holds.staged.delete(key);
      else await this.#unused.discard(driver, key);
    }
  }
}

/** What is known of layers when their files are there. */
interface Unpacked {
  readonly sizes: ReadonlyMap<string, number>;
  readonly chainIds: StagedLayers['chainIds'];
  readonly unsettled: ReadonlyMap<string, string>;
  readonly undo: AsyncDisposableStack;
}

function rowOf({ chainId, parent, source, driver, key }: Missing, { sizes, unsettled }: Pick<Unpacked, 'sizes' | 'unsettled'>): LayerRow {
  return {
    chainId,
    parent,
    diffId: source.diffId,
    blobDigest: source.blob.digest,
    driver,
    key,
    sizeBytes: sizes.get(chainId) ?? 0,
    createdMs: Date.now(),
    ...(unsettled.has(driver) ? { unsettled: unsettled.get(driver) } : {}),
  };
}
