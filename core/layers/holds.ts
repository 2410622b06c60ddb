/** What running operations rely on: it stays, whatever the records say. */
export class Holds {
  readonly #chains = new Map<string, number>();
  readonly #blobs = new Map<string, number>();
  /** Keys of snapshots that operations made, whether or not rows name them by now. */
  readonly staged = new Set<string>();

  /** Keeps chains, with all that is below them, until disposed. */
  chains(chainIds: readonly string[]): Disposable {
    return held(this.#chains, chainIds);
  }

  /** Keeps blobs from collection until disposed. */
  blobs(digests: readonly string[]): Disposable {
    return held(this.#blobs, digests);
  }

  heldChains(): readonly string[] {
    return [...this.#chains.keys()];
  }

  holdsBlob(digest: string): boolean {
    return this.#blobs.has(digest);
  }
}

function held(counts: Map<string, number>, keys: readonly string[]): Disposable {
  count(counts, keys, 1);
  return { [Symbol.dispose]: () => count(counts, keys, -1) };
}

function count(counts: Map<string, number>, keys: readonly string[], step: 1 | -1): void {
  for (const key of keys) {
    const next = (counts.get(key) ?? 0) + step;
    if (next === 0) counts.delete(key);
    else counts.set(key, next);
  }
}
