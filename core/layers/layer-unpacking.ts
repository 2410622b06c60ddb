import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { Abortable } from '@gantry/sdk';
import type { Content, Ingested } from '../content/index.ts';
import { failpoint, undoSignal } from '../support/index.ts';
import { plainStream } from './plain-stream.ts';
import type { Snapshot, Views } from './views.ts';
import { sniff } from './worker/decompress.ts';
import type { TreeWorkers } from './worker/pool.ts';

/** A layer that somebody brings: what its tar must hash to, and the blob that holds it, compressed or not. */
export interface LayerSource {
  readonly diffId: string;
  /** A file on its way to become a blob, or a blob. */
  readonly blob: Ingested;
}

interface Parts {
  readonly content: Content;
  readonly views: Views;
  readonly workers: TreeWorkers;
}

export interface Unpacked {
  /** What the plain tar hashes to. */
  readonly diffId: string;
  /** Of all files. */
  readonly sizeBytes: number;
  /** Folders that were made without being named, apart from the layers below, '' for the root. */
  readonly implied: readonly string[];
}

/** Layer files become the trees of snapshots. Failure and abort leave a tree half made, for the caller to remove. */
export class LayerUnpacking {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async prepare({ driver, key, chain }: Snapshot, { signal }: Abortable): Promise<void> {
    failpoint('layer.stage');
    await (await this.#parts.views.driver(driver)).prepare({ key, chain }, this.#parts.views.context(signal));
  }

  /** A tar whose blob's digest is the diff id that is wanted need not be hashed again. */
  async unpack(
    { driver, key, chain }: Snapshot,
    { diffId: wanted, blob }: LayerSource,
    { view, signal }: { readonly view: 'merged' | 'changes' } & Abortable,
  ): Promise<Unpacked> {
    const isDiffIdKnown = blob.digest === wanted;
    const whiteouts = view === 'changes' ? 'overlay' : 'plain';
    await using file = await this.#openPlain(blob.path, { signal });
    await using shown = await this.#parts.views.show({ driver, key, chain }, { readOnly: false, view, ephemeral: true, signal });
    const job = { root: shown.path, fd: file.fd, whiteouts, isDiffIdKnown } as const;
    const { diffId, ...unpacked } = await this.#parts.workers.run('apply', job, { signal });
    return { diffId: isDiffIdKnown ? wanted : diffId, ...unpacked };
  }

  /** Begins once more, with nothing of what was unpacked so far, under the layers below. */
  async unpackOver(snapshot: Snapshot, source: LayerSource, options: Abortable): Promise<Unpacked> {
    const { views } = this.#parts;
    const driver = await views.driver(snapshot.driver);
    await driver.remove({ key: snapshot.key, keepChildren: true }, views.context(undoSignal(60_000)));
    await this.prepare(snapshot, options);
    return this.unpack(snapshot, source, { view: 'merged', ...options });
  }

  /** Gives folders that were made without being named what the layers below say of them; false: their files belong elsewhere, see `unpackOver`. */
  async inherit(snapshot: Snapshot, folders: readonly string[], { signal }: Abortable): Promise<boolean> {
    const { views, workers } = this.#parts;
    const { driver, chain } = snapshot;
    const [parent, ...below] = chain;
    if (parent === undefined || folders.length === 0) return true;
    // The root alone needs no mount: each layer has it.
    const view = folders.length === 1 && folders[0] === '' ? 'changes' : 'merged';
    await using lower = await views.show({ driver, key: parent, chain: below }, { readOnly: true, view, signal });
    await using upper = await views.show(snapshot, { readOnly: false, view: 'changes', signal });
    return await workers.run('inherit', { root: upper.path, lower: lower.path, folders }, { signal });
  }

  /** The layer's file, or what xz or bzip2 makes of it: those two are no libraries here. */
  async #openPlain(path: string, { signal }: Abortable): Promise<{ readonly fd: number } & AsyncDisposable> {
    const file = await open(path, 'r');
    const head = Buffer.alloc(8);
    await file.read(head, 0, 8, 0);
    if (!['xz', 'bzip2'].includes(sniff(head))) return file;
    await file.close();
    const plain = this.#parts.content.newIngestPath();
    try {
      await this.#parts.workers.run('ingest', { path: plain }, { input: plainStream(createReadStream(path), { signal }), signal });
      return await open(plain, 'r');
    } finally {
      await rm(plain, { force: true });
    }
  }
}
