import { open } from 'node:fs/promises';
import type { Abortable } from '@gantry/sdk';
import type { Ingested } from '../content/index.ts';
import { randomId } from '../support/index.ts';
import { maxDepth } from './chain-id.ts';
import type { LayerSource, LayerUnpacking, Unpacked } from './layer-unpacking.ts';
import type { Snapshot } from './views.ts';
import { sniff } from './worker/decompress.ts';

/** A layer that is being unpacked, or was, for whoever took it: he removes the snapshot when he does not keep it. */
export interface EarlyLayer {
  readonly driver: string;
  readonly key: string;
  /** Resolves when others can be made on top of it, if they ever can. */
  readonly prepared: Promise<void>;
  /** Rejects as unpacking it now would. */
  readonly unpacked: Promise<Unpacked>;
  /** Resolves when nothing works on it any more. */
  stop(): Promise<void>;
}

interface Parts extends Abortable {
  readonly unpacking: LayerUnpacking;
  /** The driver of new layers; undefined when its snapshots cannot be filled before their parents are known. */
  readonly driver: () => Promise<string | undefined>;
  readonly isKnown: (digest: string) => boolean;
  readonly staged: (key: string) => void;
  readonly discard: (driver: string, key: string) => Promise<void>;
}

/** No image has more layers; what an archive holds beyond that waits until it is known what it is. */
const maxLayers = maxDepth;

/**
 * Layers unpacked while the rest of their archive is still on its way: what a layer changes is a tree of its own, whatever lies below it.
 * Nothing that goes wrong here counts before somebody takes the layer.
 */
export class EarlyLayers implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #layers = new Map<string, EarlyLayer>();
  readonly #beginnings: Promise<void>[] = [];
  #isOver = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Starts with a whole file if it looks like a layer that is not there yet. */
  begin(file: Ingested): void {
    if (this.#beginnings.length >= maxLayers) return;
    this.#beginnings.push(this.#begin(file).catch(() => undefined)); // told by whoever needs the layer
  }

  /** Resolves when it is known which of the files are being unpacked. */
  async begun(): Promise<void> {
    await Promise.all(this.#beginnings);
  }

  /** The layer of this blob, once. */
  take(driver: string, digest: string): EarlyLayer | undefined {
    const layer = this.#layers.get(digest);
    if (layer?.driver !== driver) return undefined;
    this.#layers.delete(digest);
    return layer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.begun();
    for (const layer of this.#layers.values()) {
      await layer.stop();
      await this.#parts.discard(layer.driver, layer.key);
    }
    this.#layers.clear();
  }

  async #begin(file: Ingested): Promise<void> {
    const { driver: chosen, isKnown, signal } = this.#parts;
    const form = isKnown(file.digest) ? 'unknown' : await formOf(file.path);
    if (form === 'unknown') return;
    const driver = await chosen();
    if (driver === undefined || this.#isOver || signal?.aborted === true || this.#layers.has(file.digest)) return;
    // A plain tar has its digest as its diff id; of a compressed one that is found out.
    this.#layers.set(file.digest, this.#start(driver, { diffId: form === 'plain' ? file.digest : '', blob: file }));
  }

  #start(driver: string, source: LayerSource): EarlyLayer {
    const key = randomId();
    const ending = new AbortController();
    const signal = this.#parts.signal === undefined ? ending.signal : AbortSignal.any([this.#parts.signal, ending.signal]);
    this.#parts.staged(key);
    const snapshot = { driver, key, chain: [] };
    // Short, and never abandoned: a driver that answers late would make again what was removed.
    const preparing = this.#parts.unpacking.prepare(snapshot, {});
    const unpacked = this.#unpack(snapshot, { source, preparing, signal });
    const isOver = settled(unpacked);
    return {
      driver,
      key,
      prepared: settled(preparing),
      unpacked,
      stop: () => {
        ending.abort();
        return isOver;
      },
    };
  }

  async #unpack(
    snapshot: Snapshot,
    { source, preparing, signal }: { readonly source: LayerSource; readonly preparing: Promise<void>; readonly signal: AbortSignal },
  ): Promise<Unpacked> {
    await preparing;
    signal.throwIfAborted();
    return this.#parts.unpacking.unpack(snapshot, source, { view: 'changes', signal });
  }
}

/** Resolves when it is over, however it ended. */
async function settled(work: Promise<unknown>): Promise<void> {
  await Promise.allSettled([work]);
}

async function formOf(path: string): Promise<'plain' | 'compressed' | 'unknown'> {
  await using file = await open(path, 'r');
  const { buffer: head } = await file.read(Buffer.alloc(512), 0, 512, 0);
  if (['gzip', 'zstd'].includes(sniff(head))) return 'compressed';
  return head.toString('latin1', 257, 262) === 'ustar' ? 'plain' : 'unknown';
}
