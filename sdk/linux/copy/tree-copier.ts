import { statfsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileSystemMagic } from '../files/file-data.ts';
import { type Board, newBoard, stop } from './board.ts';
import { CopyThread } from './copy-thread.ts';
import { clearDefaults } from './keeping.ts';
import { isSmallTree } from './small-tree.ts';
import { Walk, type WalkJob } from './walk.ts';

/** More than these would stand in each other's way: they make files in the same folders. */
const mostShares = 4;
const mostCopies = 4;

/**
 * Copies trees with all that Linux keeps of a file: owners, permissions, times, attributes, hard links, holes, devices. Blocks are shared where the file system can. A small
 * tree is copied at once; several threads work on a larger one, which are started when there is work and end when there was none for a while.
 */
export class TreeCopier implements AsyncDisposable {
  readonly #idle: CopyThread[] = [];
  readonly #all = new Set<CopyThread>();
  readonly #waiting: (() => void)[] = [];
  readonly #copies = new Map<Board, Promise<void>>();
  #running = 0;

  /**
   * Makes `to`, an empty folder, a copy of the folder `from`, which must not change meanwhile; both without a symlink at the end. Nothing is synced. When it fails (a system
   * call's error) or is aborted (the signal's reason), what was made stays, and perhaps the folder `<to>.links`; nobody writes there any more, unless the disk hangs.
   */
  async copy(from: string, to: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#turn();
    try {
      signal.throwIfAborted();
      if (isSmallTree(from)) return copyHere(from, to);
      const board = newBoard(sharesOn(from));
      const copying = this.#copy({ from, to, board, owner: clearDefaults(to) }, signal);
      this.#copies.set(board, copying);
      await copying.finally(() => this.#copies.delete(board));
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Stops what is copied (`cancelled`) and ends the threads. A thread must not end before: what it has open would stay open. */
  async [Symbol.asyncDispose](): Promise<void> {
    const running = [...this.#copies];
    for (const [board] of running) stop(board);
    await Promise.allSettled(running.map(([, copy]) => copy));
    await Promise.all([...this.#all].map((thread) => thread.end()));
  }

  async #copy(job: WalkJob, signal: AbortSignal): Promise<void> {
    const { board } = job;
    const onAbort = (): void => stop(board);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const failures = await Promise.all(Array.from({ length: board.shares }, () => this.#share(job, signal)));
      signal.throwIfAborted();
      // Those that were told to stop say that; the first one says why.
      const failure =
        failures.find((error) => error !== undefined && error.code !== 'cancelled') ?? failures.find((error) => error !== undefined);
      if (failure !== undefined) throw failure;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #share(job: WalkJob, signal: AbortSignal): Promise<NodeJS.ErrnoException | undefined> {
    const thread = this.#idle.pop() ?? this.#start();
    const failure = await thread.run(job, signal);
    if (!this.#all.has(thread)) {
      // The others would wait for its part.
      stop(job.board);
      return failure;
    }
    this.#idle.push(thread);
    thread.rest();
    return failure;
  }

  #start(): CopyThread {
    const thread = new CopyThread(() => this.#forget(thread));
    this.#all.add(thread);
    return thread;
  }

  #forget(thread: CopyThread): void {
    this.#all.delete(thread);
    const at = this.#idle.indexOf(thread);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  async #turn(): Promise<void> {
    while (this.#running >= mostCopies) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running += 1;
  }
}

function copyHere(from: string, to: string): void {
  const job = { from, to, board: newBoard(1), owner: clearDefaults(to) };
  new Walk(job, process.umask()).copy(job);
}

/** Threads find each other's work by the order in which a folder is listed: where it may be another one each time, there is one thread. */
function sharesOn(from: string): number {
  const isOrdered = ordered.includes(statfsSync(from).type);
  return isOrdered ? Math.min(availableParallelism(), mostShares) : 1;
}

const { btrfs, ext4, tmpfs, xfs, zfs } = fileSystemMagic;
const ordered: readonly number[] = [btrfs, ext4, tmpfs, xfs, zfs];
