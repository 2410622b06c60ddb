import type { Abortable } from '@gantry/sdk';
import type { Content } from '../content/index.ts';
import type { LayerRow } from '../metadata/index.ts';
import { randomId, undoSignal } from '../support/index.ts';
import type { LayerSource } from './layer-unpacking.ts';
import type { Missing, Stacking } from './stacking.ts';
import { isFilledApart } from './stacking.ts';
import type { Views } from './views.ts';
import type { TreeWorkers } from './worker/pool.ts';

interface Parts {
  readonly content: Content;
  readonly views: Views;
  readonly workers: TreeWorkers;
  readonly stacking: Stacking;
  /** Keys of the snapshots of a chain, nearest first. */
  readonly keysOf: (topChain: string) => readonly string[];
  /** Keeps a snapshot that no row names from collection. */
  readonly staged: Set<string>;
}

/** Layers held against their blobs, and made again from them. */
export class Mending {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Replaces the layer's snapshot, under the same key. Only for a layer that nobody has mounted. Throws what unpacking throws. */
  async unpackAgain(row: LayerRow, { signal }: Abortable = {}): Promise<void> {
    const { views } = this.#parts;
    const graph = await views.driver(row.driver);
    await graph.remove({ key: row.key, keepChildren: true }, views.context(undoSignal(60_000)));
    await this.#make(row, row.key, { signal });
  }

  /** Makes the layer once more beside it and answers the paths that differ; none: it is what its blob says. */
  async differences(row: LayerRow, { signal }: Abortable = {}): Promise<readonly string[]> {
    const { views, staged } = this.#parts;
    const fresh = randomId();
    await using undo = new AsyncDisposableStack();
    staged.add(fresh);
    undo.defer(() => void staged.delete(fresh));
    const graph = await views.driver(row.driver);
    undo.defer(() => graph.remove({ key: fresh }, views.context(undoSignal(60_000))).then(() => undefined));
    await this.#make(row, fresh, { signal });
    const [wanted, found] = [await this.#fingerprint(row, fresh, { signal }), await this.#fingerprint(row, row.key, { signal })];
    return differing(wanted, found);
  }

  async #make(row: LayerRow, key: string, { signal }: Abortable): Promise<void> {
    const { views, stacking, content } = this.#parts;
    const { driver, chainId, parent, blobDigest: digest, diffId } = row;
    const chain = this.#chain(row);
    const source: LayerSource = { diffId, blob: { digest, path: content.path(digest), sizeBytes: content.sizeOf(digest) } };
    const missing: Missing = { driver, key, chain, chainId, parent, source, early: undefined };
    await stacking.unpack([missing], { signal });
    await (await views.driver(driver)).commit({ key, name: key, chain }, views.context(signal));
  }

  async #fingerprint(row: LayerRow, key: string, { signal }: Abortable): Promise<ReadonlyMap<string, string>> {
    const { views, workers } = this.#parts;
    const view = isFilledApart(await views.driver(row.driver)) ? 'changes' : 'merged';
    await using shown = await views.show({ driver: row.driver, key, chain: this.#chain(row) }, { readOnly: true, view, signal });
    return new Map(await workers.run('fingerprint', { root: shown.path }, { signal }));
  }

  #chain({ chainId }: LayerRow): readonly string[] {
    return this.#parts.keysOf(chainId).slice(1);
  }
}

function differing(wanted: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): readonly string[] {
  const paths = [...wanted, ...found].flatMap(([path]) => (wanted.get(path) === found.get(path) ? [] : [path]));
  return [...new Set(paths)].map((path) => `/${Buffer.from(path, 'latin1').toString()}`);
}
