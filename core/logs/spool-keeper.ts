import type { Logger } from '@gantry/sdk';
import type { LogCursors } from '../metadata/index.ts';
import { failpoint } from '../support/index.ts';
import type { Cache } from './cache.ts';
import { type Cursor, storeCursor } from './cursor.ts';
import { countLines, reopenSpool } from './monitor-file.ts';
import type { Segments } from './segments.ts';

export interface SpoolKeeperOptions {
  readonly containerId: string;
  /** The monitor's control pipe; without it files are never cut. */
  readonly control: string | undefined;
  readonly segments: Segments;
  readonly cursors: LogCursors;
  readonly cache: Cache;
  /** What the spool may hold while its driver does not move; eight times as much while it does. */
  readonly maxBytes: number;
  readonly log: Logger;
}
/** Output that the spool could not keep: how many lines, and where it goes on. */
export interface Lost {
  readonly lines: number;
  readonly segment: number;
}

const maxSegmentBytes = 8 * 1024 * 1024;
/** A burst is no reason to lose anything while the driver works through it. */
const burstFactor = 8;

/** Keeps one container's spool small: cuts it into files, and deletes those that are delivered, or the oldest when there are too many. */
export class SpoolKeeper {
  readonly #options: SpoolKeeperOptions;
  /** Delivered files are kept for `docker logs`, since the driver cannot read. */
  keepsDelivered = false;
  #readers = 0;
  #askedToCut = 0;

  constructor(options: SpoolKeeperOptions) {
    this.#options = options;
  }

  /** Delivered files stay, within the limit, as long as somebody reads them. */
  hold(): Disposable {
    this.#readers += 1;
    return { [Symbol.dispose]: () => (this.#readers -= 1) };
  }

  /** Deletes what is delivered. First the cursor is saved: it must never point at a file that is gone. */
  trim({ position: { segment } }: Cursor): void {
    const { segments, cursors } = this.#options;
    if (this.keepsDelivered || this.#readers > 0) return;
    if ((segments.oldest ?? segment) >= segment) return;
    cursors.flush();
    for (let { oldest } = segments; oldest !== undefined && oldest < segment; oldest = segments.oldest) segments.remove(oldest);
  }

  /**
   * Keeps files small, so that they can be deleted one by one, and all of them within the limit. What goes and was not delivered is answered, file
   * by file, before it is deleted.
   */
  *cut(cursor: () => Cursor, { isMoving }: { readonly isMoving: boolean }): Generator<Lost> {
    const { segments, control } = this.#options;
    const { newest } = segments;
    if (newest === undefined) return;
    if (control !== undefined && newest > this.#askedToCut && segments.sizeOf(newest) >= this.#segmentBytes) {
      this.#askedToCut = newest;
      reopenSpool(control);
    }
    for (let { oldest } = segments; oldest !== undefined && oldest !== newest; oldest = segments.oldest) {
      const { position } = cursor();
      if (segments.totalBytes <= this.#limitFor(oldest < position.segment, isMoving)) return;
      if (oldest >= position.segment) {
        const lines = countLines(segments.path(oldest), oldest === position.segment ? position.offset : 0);
        this.#options.log.warn({ container: this.#options.containerId, lost: lines }, 'log spool is full: the driver did not keep up');
        yield { lines, segment: segments.after(oldest) ?? segments.nextNumber };
      }
      segments.remove(oldest);
    }
  }

  /**
   * All is delivered, and nothing more will be written. First the cursor says that these files may be gone, or a crash in between would look like
   * lost output, and numbering start again.
   */
  empty(cursor: Cursor): void {
    const { cursors, containerId, segments } = this.#options;
    if (this.keepsDelivered) return;
    cursors.set(containerId, storeCursor({ ...cursor, position: { ...cursor.position, isDelivered: true } }));
    cursors.flush();
    if (this.#readers > 0) return;
    failpoint('log.spool.delivered');
    segments.clear();
    failpoint('log.spool.emptied');
  }

  get #segmentBytes(): number {
    return Math.min(maxSegmentBytes, this.#options.cache.fileBytes ?? maxSegmentBytes);
  }

  #limitFor(isDelivered: boolean, isMoving: boolean): number {
    const { cache, maxBytes } = this.#options;
    if (isDelivered && cache.totalBytes !== undefined) return cache.totalBytes;
    return maxBytes * (!isDelivered && isMoving ? burstFactor : 1);
  }
}
