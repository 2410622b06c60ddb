import { GantryError, type Logger, messageOf } from '@gantry/sdk';
import type { Entry, LogDriver, WriteRequest, WriteResponse } from '@gantry/sdk/log';
import { driverContext } from '../drivers/index.ts';
import type { LogCursors } from '../metadata/index.ts';
import { type Cache, cacheOf, withoutCache } from './cache.ts';
import type { Batch, BatchLimits } from './cri-parser.ts';
import { type Cursor, loadCursor, storeCursor } from './cursor.ts';
import { DriverWishes } from './driver-wishes.ts';
import { failpoint } from '../support/index.ts';
import { countLines, reopenSpool } from './monitor-file.ts';
import { Segments } from './segments.ts';
import { SpoolReader } from './spool-reader.ts';
import { Waiters } from './waiters.ts';
import { untilAborted } from './until-aborted.ts';
import { SpoolWatch } from './spool-watch.ts';
import type { LoggedContainer } from './types.ts';

export interface PumpOptions {
  readonly container: LoggedContainer;
  readonly spoolDir: string;
  /** What the spool may hold of a container while its driver does not move; eight times as much while it does. The rest is dropped, oldest first, and counted. */
  readonly maxBytes: number;
  readonly cursors: LogCursors;
  readonly driver: () => Promise<LogDriver>;
  readonly log: Logger;
}

/** 256 KiB and 1000 entries: beyond that bigger messages bring nothing, measured over gRPC. */
const limits: BatchLimits = { maxEntries: 1_000, maxBytes: 256 * 1024 };
/** Batches that may be on their way without an answer. */
const windowBatches = 16;
const flushDeadlineMs = 5_000;
const retryFirstMs = 100;
const retryLastMs = 30_000;
/** A driver that acknowledges nothing for so long does not move. */
const stalledMs = 5_000;
/** A burst is no reason to lose anything while the driver works through it. */
const burstFactor = 8;
const turnMs = 5;
const maxSegmentBytes = 8 * 1024 * 1024;

/**
 * Moves one container's output from the spool to its driver, in order and from where it stopped last time, as long as it takes: the
 * container never waits for it. A driver that breaks is opened again with growing pauses and gets what it did not acknowledge once more.
 */
export class Pump {
  readonly #options: PumpOptions;
  readonly #segments: Segments;
  readonly #wishes: DriverWishes;
  readonly #ended = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<void>();
  readonly #stopped = new AbortController();
  readonly #watchers = new Set<() => void>();
  #watch: SpoolWatch | undefined;
  #reader: SpoolReader | undefined;
  #cursor: Cursor;
  readonly #cache: Cache;
  #keepsSpool = false;
  /** Sent and not acknowledged, oldest first. */
  #outstanding: { readonly cursor: Cursor; readonly droppedBefore: number }[] = [];
  #sentSeq = 0;
  #dropped = 0;
  /** Of what this reader left out, how much the driver knows. */
  #malformedTold = 0;
  readonly #waiters = new Waiters();
  #wake: () => void = () => {};
  #isFinishing = false;
  #leavesSpool = false;
  /** The reader was at the end; the next look is the watch's, since many small batches would cost more than they bring. */
  #pauseAtEnd = false;
  #askedToCut = 0;
  #progress = 0;
  #reported = 0;
  #movedAt = performance.now();
  #turnAt = 0;
  #session = new AbortController();

  constructor(options: PumpOptions) {
    this.#options = options;
    this.#cache = cacheOf(options.container.options);
    this.#wishes = new DriverWishes(options.log, options.container.info.id);
    this.#cursor = loadCursor(options.cursors.get(options.container.info.id));
    const { segment, offset } = this.#cursor.position;
    this.#segments = new Segments(options.spoolDir, offset === 0 ? segment : segment + 1);
    void this.#run();
  }

  /** Everything is with the driver and the stream is closed; or the pump was let go. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** The driver has seen `open`, or the pump has ended. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get isFinishing(): boolean {
    return this.#isFinishing;
  }

  get segments(): Segments {
    return this.#segments;
  }

  /** Calls back when there is something new in the spool or the pump ended; answers the undo. */
  watch(callback: () => void): Disposable {
    this.#watchers.add(callback);
    return { [Symbol.dispose]: () => this.#watchers.delete(callback) };
  }

  /** Resolves when all that is in the spool now is acknowledged; never rejects. */
  caughtUp(): Promise<void> {
    const caught = this.#waiters.join();
    this.#wake();
    return caught;
  }

  /** The container's output is complete: deliver the rest, close the stream, end. */
  finish(): Promise<void> {
    this.#isFinishing = true;
    this.#wake();
    return this.#ended.promise;
  }

  /** The container runs again: its monitor writes here, so the end of this pump must not delete the files. */
  leaveSpool(): void {
    this.#leavesSpool = true;
  }

  /** Lets go at once: the container runs on, the spool stays, another pump goes on from the cursor. */
  async abandon(): Promise<void> {
    this.#stopped.abort(new DOMException('the engine stops', 'AbortError'));
    this.#session.abort(this.#stopped.signal.reason);
    this.#wake();
    await this.#ended.promise;
  }

  async #run(): Promise<void> {
    let pauseMs = retryFirstMs;
    this.#watch = new SpoolWatch(this.#options.spoolDir, () => this.#look());
    for (;;) {
      const before = this.#cursor;
      try {
        if (await this.#stream()) break;
        this.#options.log.warn({ container: this.#options.container.info.id }, 'log driver ended the stream');
      } catch (error) {
        if (!this.#stopped.signal.aborted && !this.#session.signal.aborted) {
          this.#wishes.rest(GantryError.is(error) ? error.retryAfterMs : undefined);
          this.#options.log.warn({ container: this.#options.container.info.id, error: messageOf(error) }, 'log driver broke the stream');
        }
      }
      if (this.#stopped.signal.aborted) break;
      pauseMs = this.#cursor === before ? Math.min(pauseMs * 2, retryLastMs) : retryFirstMs;
      await this.#pause(Math.max(pauseMs, this.#wishes.restMs));
      if (this.#stopped.signal.aborted) break;
    }
    this.#close();
  }

  /** One stream to the driver; true when everything was delivered and closed. */
  async #stream(): Promise<boolean> {
    this.#session = new AbortController();
    const driver = await this.#options.driver();
    this.#keepsSpool = driver.read === undefined && !this.#cache.isDisabled;
    this.#rewind();
    let isComplete = false;
    const requests = this.#requests(() => (isComplete = true));
    const context = driverContext(this.#options.log, this.#session.signal);
    for await (const response of untilAborted(driver.write(requests, context), this.#session.signal)) {
      this.#onResponse(response);
      await this.#giveWay();
    }
    return isComplete && this.#outstanding.length === 0;
  }

  async *#requests(onComplete: () => void): AsyncGenerator<WriteRequest> {
    const { container } = this.#options;
    yield { kind: 'open', streamId: this.#streamId(), container: container.info, options: withoutCache(container.options) };
    this.#opened.resolve();
    for (;;) {
      const batch = await this.#nextBatch();
      if (batch === undefined) break;
      yield batch;
    }
    if (this.#session.signal.aborted) return;
    onComplete();
    yield { kind: 'close', flushDeadlineMs };
  }

  async #nextBatch(): Promise<WriteRequest | undefined> {
    const { signal } = this.#session;
    while (!signal.aborted) {
      await this.#giveWay();
      // Whoever aborted meanwhile has woken us before we slept.
      if (signal.aborted) break;
      if (this.#outstanding.length >= windowBatches) {
        await this.#awake();
        continue;
      }
      if (this.#wishes.restMs > 0) {
        await this.#pause(this.#wishes.restMs);
        continue;
      }
      const batch: Batch = { entries: [], bytes: 0 };
      const isEnd = !this.#read(batch);
      if (isEnd && this.#isFinishing) this.#reader?.flush(batch);
      const request = batch.entries.length === 0 ? undefined : this.#number(batch.entries);
      if (isEnd) this.#onLook();
      if (request !== undefined) {
        this.#pauseAtEnd = isEnd;
        return request;
      }
      if (isEnd && this.#isFinishing) return undefined;
      await this.#awake();
    }
    return undefined;
  }

  /** A driver in this process may do all its work without a pause: others want their turn. */
  async #giveWay(): Promise<void> {
    if (performance.now() - this.#turnAt < turnMs) return;
    await new Promise(setImmediate);
    this.#turnAt = performance.now();
  }

  #read(batch: Batch): boolean {
    if (this.#pauseAtEnd && !this.#isFinishing && this.#waiters.isEmpty) return false;
    this.#pauseAtEnd = false;
    return this.#reader?.read(batch, limits) ?? false;
  }

  #number(entries: readonly Entry[]): WriteRequest {
    const firstSeq = this.#sentSeq + 1;
    this.#sentSeq += entries.length;
    this.#progress += entries.length;
    const position = this.#reader?.position ?? this.#cursor.position;
    const malformed = this.#reader?.malformed ?? 0;
    const droppedBefore = this.#dropped + malformed - this.#malformedTold;
    this.#malformedTold = malformed;
    this.#dropped = 0;
    this.#outstanding.push({ cursor: { epoch: this.#cursor.epoch, seq: this.#sentSeq, position }, droppedBefore });
    return { kind: 'batch', firstSeq, entries, droppedBefore };
  }

  #onResponse(response: WriteResponse): void {
    this.#wishes.take(response);
    const { ackedSeq } = response;
    let acknowledged: Cursor | undefined;
    while (this.#outstanding[0] !== undefined && this.#outstanding[0].cursor.seq <= ackedSeq) {
      acknowledged = this.#outstanding.shift()?.cursor;
    }
    if (acknowledged === undefined) return;
    this.#cursor = acknowledged;
    this.#movedAt = performance.now();
    this.#options.cursors.set(this.#options.container.info.id, storeCursor(acknowledged));
    failpoint('log.ack');
    this.#trim();
    this.#waiters.acknowledged(this.#cursor.seq);
    this.#wake();
  }

  /** Called by the watch; answers whether anything moved since the last time. */
  #look(): boolean {
    this.#segments.refresh();
    this.#cutSpool();
    this.#pauseAtEnd = false;
    this.#wake();
    for (const callback of this.#watchers) callback();
    const moved = this.#progress !== this.#reported;
    this.#reported = this.#progress;
    return moved;
  }

  /** The reader has seen the end. */
  #onLook(): void {
    this.#waiters.endSeen(this.#sentSeq);
    this.#waiters.acknowledged(this.#cursor.seq);
  }

  /** Deletes what is delivered. First the cursor is saved: it must never point at a file that is gone. */
  #trim(): void {
    if (this.#keepsSpool) return;
    const { segment } = this.#cursor.position;
    if ((this.#segments.oldest ?? segment) >= segment) return;
    this.#options.cursors.flush();
    for (let oldest = this.#segments.oldest; oldest !== undefined && oldest < segment; oldest = this.#segments.oldest) {
      this.#segments.remove(oldest);
    }
  }

  /** Keeps files small, so that they can be deleted one by one, and all of them within the limit. */
  #cutSpool(): void {
    const { newest } = this.#segments;
    if (newest === undefined) return;
    const { control } = this.#options.container;
    if (control !== undefined && newest > this.#askedToCut && this.#segments.sizeOf(newest) >= this.#segmentBytes) {
      this.#askedToCut = newest;
      reopenSpool(control);
    }
    for (let { oldest } = this.#segments; oldest !== undefined && oldest !== newest; oldest = this.#segments.oldest) {
      if (this.#segments.totalBytes <= this.#limitFor(oldest)) return;
      this.#dropOldest();
    }
  }

  get #segmentBytes(): number {
    return Math.min(maxSegmentBytes, this.#cache.fileBytes ?? maxSegmentBytes);
  }

  #limitFor(segment: number): number {
    const isDelivered = segment < this.#cursor.position.segment;
    if (isDelivered && this.#cache.totalBytes !== undefined) return this.#cache.totalBytes;
    const isMoving = performance.now() - this.#movedAt < stalledMs;
    return this.#options.maxBytes * (!isDelivered && isMoving ? burstFactor : 1);
  }

  #dropOldest(): void {
    const { oldest } = this.#segments;
    if (oldest === undefined) return;
    const { segment, offset } = this.#cursor.position;
    if (oldest >= segment) {
      const lost = countLines(this.#segments.path(oldest), oldest === segment ? offset : 0);
      this.#dropped += lost;
      this.#options.log.warn({ container: this.#options.container.info.id, lost }, 'log spool is full: the driver did not keep up');
      const next = this.#segments.after(oldest) ?? this.#segments.nextNumber;
      this.#startAgain({ segment: next, offset: 0, pending: {} });
    }
    this.#segments.remove(oldest);
  }

  /** Entries are lost, so the numbers that the driver knows mean nothing any more: a new stream begins. */
  #startAgain(position: Cursor['position']): void {
    this.#cursor = { epoch: this.#cursor.epoch + 1, seq: 0, position };
    this.#options.cursors.set(this.#options.container.info.id, storeCursor(this.#cursor));
    this.#options.cursors.flush();
    this.#session.abort(new DOMException('output was dropped', 'AbortError'));
    this.#wake();
  }

  #rewind(): void {
    for (const { droppedBefore } of this.#outstanding) this.#dropped += droppedBefore;
    this.#outstanding = [];
    this.#reader?.[Symbol.dispose]();
    this.#reader = new SpoolReader(this.#segments, this.#cursor.position);
    this.#malformedTold = 0;
    if (this.#reader.hasLostPlace) {
      this.#dropped += 1;
      this.#cursor = { epoch: this.#cursor.epoch + 1, seq: 0, position: this.#reader.position };
    }
    this.#sentSeq = this.#cursor.seq;
  }

  #streamId(): string {
    const { info, driver } = this.#options.container;
    return `${info.id}:${driver}:${this.#cursor.epoch}`;
  }

  #awake(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  async #pause(durationMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, durationMs).unref();
    this.#stopped.signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    clearTimeout(timer);
  }

  #close(): void {
    const isDelivered = !this.#stopped.signal.aborted;
    this.#watch?.[Symbol.dispose]();
    this.#reader?.[Symbol.dispose]();
    if (isDelivered && !this.#keepsSpool && !this.#leavesSpool) this.#emptySpool();
    this.#waiters.end();
    this.#opened.resolve();
    this.#ended.resolve();
    for (const callback of this.#watchers) callback();
  }

  /** First the cursor says that these files may be gone, or a crash in between would look like lost output, and numbering start again. */
  #emptySpool(): void {
    const { cursors, container } = this.#options;
    cursors.set(container.info.id, storeCursor({ ...this.#cursor, position: { ...this.#cursor.position, isDelivered: true } }));
    cursors.flush();
    failpoint('log.spool.delivered');
    this.#segments.clear();
    failpoint('log.spool.emptied');
  }
}
