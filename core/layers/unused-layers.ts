import { type Logger, messageOf } from '@gantry/sdk';
import type { Content } from '../content/index.ts';
import type { LayerRows } from '../metadata/index.ts';
import { undoSignal } from '../support/index.ts';
import type { Chains } from './chains.ts';
import type { Holds } from './holds.ts';
import type { Views } from './views.ts';

interface Parts {
  readonly rows: LayerRows;
  readonly chains: Chains;
  readonly holds: Holds;
  readonly content: Content;
  readonly views: Views;
  readonly log: Logger;
}

/** Layers that no image, container or running operation refers to, and how they go: first from the records, then from the disk. */
export class UnusedLayers {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Forgets and deletes them. Answers the bytes that this freed. */
  async release(): Promise<number> {
    const { rows, chains, holds } = this.#parts;
    const used = chains.below([...rows.usedChains(), ...holds.heldChains()]);
    const childrenFirst = chains
      .parentsFirst()
      .filter(({ chainId }) => !used.has(chainId))
      .toReversed();
    if (childrenFirst.length === 0) return 0;
    const inits = rows.initLayers().filter(({ topChain }) => topChain !== '' && !used.has(topChain));
    rows.transaction(() => {
      for (const { key } of inits) rows.removeInitLayer(key);
      for (const { chainId } of childrenFirst) rows.removeLayer(chainId);
    });
    for (const { chainId } of childrenFirst) chains.forget(chainId);
    for (const { driver, key } of [...inits, ...childrenFirst]) await this.removeSnapshot(driver, key);
    await this.#removeBlobs(new Set(childrenFirst.map(({ blobDigest }) => blobDigest)));
    return childrenFirst.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** Whether nothing refers to the blob as a layer. */
  isBlobFree(digest: string): boolean {
    return !this.#parts.holds.holdsBlob(digest) && !this.#parts.chains.all().some(({ blobDigest }) => blobDigest === digest);
  }

  /** One that an operation made and does not keep. */
  async discard(driver: string, key: string): Promise<void> {
    this.#parts.holds.staged.delete(key);
    await this.removeSnapshot(driver, key);
  }

  /** What cannot be deleted now is found by the next collection. */
  async removeSnapshot(driver: string, key: string): Promise<void> {
    const { views, log } = this.#parts;
    try {
      await (await views.driver(driver)).remove({ key }, views.context(undoSignal(60_000)));
    } catch (error) {
      log.warn({ driver, key, error: messageOf(error) }, 'snapshot stays until the next collection');
    }
  }

  async #removeBlobs(digests: ReadonlySet<string>): Promise<void> {
    for (const digest of digests) if (this.isBlobFree(digest)) await this.#parts.content.remove(digest);
  }
}
