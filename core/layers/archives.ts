import { closeSync } from 'node:fs';
import { type Abortable, messageOf } from '@gantry/sdk';
import type { PathStat } from '@gantry/sdk/engine';
import { openUnnamed } from '@gantry/sdk/linux';
import { plainStream } from './plain-stream.ts';
import type { Archives } from './types.ts';
import type { TreeWorkers } from './worker/pool.ts';

/** Trees as tars, by threads whose root is the tree. */
export class TreeArchives implements Archives {
  readonly #workers: TreeWorkers;
  readonly #spoolFolder: string;

  /** `spoolFolder`: where a copy may lie for a moment, without a name. */
  constructor(workers: TreeWorkers, spoolFolder: string) {
    this.#workers = workers;
    this.#spoolFolder = spoolFolder;
  }

  async *pack(root: string, { path = '/', rebase, idMaps, signal }: Parameters<Archives['pack']>[1]): AsyncIterable<Buffer> {
    const queue = new Handover();
    const stop = new AbortController();
    const job = { root, path, idMaps, ...(rebase === undefined ? {} : { rebase }) };
    const working = this.#workers.run('pack', job, {
      signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
      output: (chunk) => queue.put(chunk),
    });
    working.then(
      () => queue.close(),
      (error: unknown) => queue.close(error),
    );
    try {
      yield* queue;
    } finally {
      stop.abort();
      queue.close();
      await working.catch(() => undefined);
    }
  }

  async unpack(root: string, path: string, tar: AsyncIterable<Buffer>, options: Parameters<Archives['unpack']>[3]): Promise<void> {
    const { noOverwriteDirNonDir, idMaps, signal } = options;
    await this.#workers.run(
      'unpack',
      { root, path, rules: { whiteouts: 'none', noOverwriteDirNonDir, idMaps } },
      { input: plainStream(tar, { signal }), signal },
    );
  }

  async stat(root: string, path: string): Promise<PathStat> {
    return this.#workers.run('stat', { root, path });
  }

  async copyUp(
    root: string,
    path: string,
    target: string,
    { keepsRoot = false, signal }: { readonly keepsRoot?: boolean } & Abortable = {},
  ): Promise<void> {
    const spoolFd = openUnnamed(this.#spoolFolder);
    try {
      await this.#workers.run('copyUp', { root, path, target, spoolFd, keepsRoot }, { signal });
    } finally {
      closeSync(spoolFd);
    }
  }
}

/** One chunk at a time from who makes them to who takes them. */
class Handover implements AsyncIterable<Buffer> {
  readonly #chunks: { readonly chunk: Buffer; readonly taken: () => void }[] = [];
  #wake: () => void = () => undefined;
  #end: { readonly error?: Error } | undefined;

  /** Resolves when the chunk was taken, or nobody takes any more. */
  put(chunk: Buffer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#end === undefined) this.#chunks.push({ chunk, taken: resolve });
    else resolve();
    this.#wake();
    return promise;
  }

  close(error?: unknown): void {
    this.#end ??= error === undefined ? {} : { error: error instanceof Error ? error : new Error(messageOf(error)) };
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    try {
      for (;;) {
        const next = this.#chunks.shift();
        if (next !== undefined) {
          next.taken();
          yield next.chunk;
        } else if (this.#end !== undefined) {
          if (this.#end.error !== undefined) throw this.#end.error;
          return;
        } else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      for (const { taken } of this.#chunks.splice(0)) taken();
    }
  }
}
