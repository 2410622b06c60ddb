import { GantryError } from '@gantry/sdk';
import type { LayerRow } from '../metadata/index.ts';

/** The recorded layers of images by chain id, each standing on its parent. */
export class Chains {
  readonly #rows: Map<string, LayerRow>;

  constructor(rows: readonly LayerRow[]) {
    this.#rows = new Map(rows.map((row) => [row.chainId, row]));
  }

  add(row: LayerRow): void {
    this.#rows.set(row.chainId, row);
  }

  forget(chainId: string): void {
    this.#rows.delete(chainId);
  }

  has(chainId: string): boolean {
    return this.#rows.has(chainId);
  }

  get(chainId: string): LayerRow | undefined {
    return this.#rows.get(chainId);
  }

  all(): readonly LayerRow[] {
    return [...this.#rows.values()];
  }

  /** All of them, each after what it stands on. */
  parentsFirst(): readonly LayerRow[] {
    return this.all().toSorted((left, right) => this.#depth(left) - this.#depth(right));
  }

  /** From the top down; empty for no chain. Throws `not_found` for one that is not there. */
  rowsOf(topChain: string): readonly LayerRow[] {
    const rows: LayerRow[] = [];
    for (let chainId = topChain === '' ? undefined : topChain; chainId !== undefined; ) {
      const row = this.#rows.get(chainId);
      if (row === undefined) throw new GantryError('not_found', `layer ${chainId} does not exist`);
      rows.push(row);
      chainId = row.parent;
    }
    return rows;
  }

  /** Those of these chains and all below them; of one that is not there, nothing. */
  below(topChains: Iterable<string>): ReadonlySet<string> {
    const found = new Set<string>();
    for (const top of topChains) {
      for (let row = this.#rows.get(top); row !== undefined && !found.has(row.chainId); row = this.#parent(row)) found.add(row.chainId);
    }
    return found;
  }

  #parent({ parent }: LayerRow): LayerRow | undefined {
    return parent === undefined ? undefined : this.#rows.get(parent);
  }

  #depth(row: LayerRow): number {
    let depth = 0;
    for (let at = this.#parent(row); at !== undefined; at = this.#parent(at)) depth += 1;
    return depth;
  }
}
