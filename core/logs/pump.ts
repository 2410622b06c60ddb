import { setTimeout as sleep } from 'node:timers/promises';
import { GantryError, type Logger, messageOf } from '@gantry/sdk';
import type { LogDriver, WriteRequest, WriteResponse } from '@gantry/sdk/log';
import { driverContext } from '../drivers/index.ts';
import type { LogCursors } from '../metadata/index.ts';
import { type Cache, cacheOf, withoutCache } from './cache.ts';
import type { Batch, BatchLimits } from './cri-parser.ts';
import { Delivery } from './delivery.ts';
import { DriverWishes } from './driver-wishes.ts';
import { failpoint } from '../support/index.ts';
import { Segments } from './segments.ts';
import { SpoolKeeper } from './spool-keeper.ts';
import type { SpoolPosition, SpoolReader } from './spool-reader.ts';
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
const flushDeadlineMs = 5_000;
const retryFirstMs = 100;
const retryLastMs = 30_000;
/** A driver that acknowledges nothing for so long does not move. */
const stalledMs = 5_000;
const turnMs = 5;

/**
 * Moves one container's output from the spool to its driver, in order and from where it stopped last time, as long as it takes: the
 * container never waits for it. A driver that breaks is opened again with growing pauses and gets what it did not acknowledge once more.
 */
export class Pump {
  /** Where it began to read: the end of the last run's output, or where an earlier engine had come to. */
  readonly beganAt: SpoolPosition;
  readonly #options: PumpOptions;
  readonly #segments: Segments;
  readonly #wishes: DriverWishes;
  readonly #ended = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<void>();
  readonly #stopped = new AbortController();
  readonly #watchers = new Set<() => void>();
  #watch: SpoolWatch | undefined;
  #reader: SpoolReader | undefined;
  readonly #delivery: Delivery;
  readonly #cache: Cache;
  readonly #keeper: SpoolKeeper;
  readonly #waiters = new Waiters();
  #wake: () => void = () => {};
  #isFinishing = false;
  #hasEnded = false;
  #leavesSpool = false;
  /** The reader was at the end; the next look is the watch's, since many small batches would cost more than they bring. */
  #pauseAtEnd = false;
  #progress = 0;
  #reported = 0;
  #movedAt = performance.now();
  #turnAt = 0;
  #session = new AbortController();

  constructor(options: PumpOptions) {
    this.#options = options;
    this.#cache = cacheOf(options.container.options);
    this.#wishes = new DriverWishes(options.log, options.container.info.id);
    this.#delivery = new Delivery(options.container.info.id, options.cursors);
    this.beganAt = this.#delivery.cursor.position;
    const { segment, offset } = this.beganAt;
    this.#segments = new Segments(options.spoolDir, offset === 0 ? segment : segment + 1);
    this.#keeper = new SpoolKeeper({
      containerId: options.container.info.id,
      control: options.container.control,
      segments: this.#segments,
      cursors: options.cursors,
      cache: this.#cache,
      maxBytes: options.maxBytes,
      log: options.log,
    });
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

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get isFinishing(): boolean {
    return this.#isFinishing;
  }

  get segments(): Segments {
    return this.#segments;
  }

  /** What is in the spool stays there for a reader, as far as there is room. */
  hold(): Disposable {
    return this.#keeper.hold();
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
      const before = this.#delivery.cursor;
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
      pauseMs = this.#delivery.cursor === before ? Math.min(pauseMs * 2, retryLastMs) : retryFirstMs;
      await this.#pause(Math.max(pauseMs, this.#wishes.restMs));
      if (this.#stopped.signal.aborted) break;
    }
    this.#close();
  }

  /** One stream to the driver; true when everything was delivered and closed. */
  async #stream(): Promise<boolean> {
    this.#session = new AbortController();
    const driver = await this.#options.driver();
    this.#keeper.keepsDelivered = driver.read === undefined && !this.#cache.isDisabled;
    this.#reader?.[Symbol.dispose]();
    this.#reader = this.#delivery.rewind(this.#segments);
    let isComplete = false;
    const requests = this.#requests(() => (isComplete = true));
    const context = driverContext(this.#options.log, this.#session.signal);
    for await (const response of untilAborted(driver.write(requests, context), this.#session.signal)) {
      this.#onResponse(response);
      await this.#giveWay();
    }
    return isComplete && this.#delivery.isSettled;
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
      if (this.#delivery.isFull) {
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
      const request = batch.entries.length === 0 ? undefined : this.#delivery.batch(batch.entries, this.#reader);
      this.#progress += batch.entries.length;
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

  #onResponse(response: WriteResponse): void {
    this.#wishes.take(response);
    const acknowledged = this.#delivery.acknowledge(response.ackedSeq);
    if (acknowledged === undefined) return;
    this.#movedAt = performance.now();
    failpoint('log.ack');
    this.#keeper.trim(acknowledged);
    this.#waiters.acknowledged(this.#delivery.cursor.seq);
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
    this.#waiters.endSeen(this.#delivery.sentSeq);
    this.#waiters.acknowledged(this.#delivery.cursor.seq);
  }

  /** Called by every look: what goes undelivered is counted, and the stream begins anew after it. */
  #cutSpool(): void {
    const isMoving = performance.now() - this.#movedAt < stalledMs;
    for (const { lines, segment } of this.#keeper.cut(() => this.#delivery.cursor, { isMoving })) {
      this.#delivery.lose(lines, { segment, offset: 0, pending: {} });
      this.#session.abort(new DOMException('output was dropped', 'AbortError'));
      this.#wake();
    }
  }

  #streamId(): string {
    const { info, driver } = this.#options.container;
    return `${info.id}:${driver}:${this.#delivery.cursor.epoch}`;
  }

  #awake(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  async #pause(durationMs: number): Promise<void> {
    await sleep(durationMs, undefined, { signal: this.#stopped.signal, ref: false }).catch(() => undefined);
  }

  #close(): void {
    const isDelivered = !this.#stopped.signal.aborted;
    this.#watch?.[Symbol.dispose]();
    this.#reader?.[Symbol.dispose]();
    if (isDelivered && !this.#leavesSpool) this.#keeper.empty(this.#delivery.cursor);
    this.#hasEnded = true;
    this.#waiters.end();
    this.#opened.resolve();
    this.#ended.resolve();
    for (const callback of this.#watchers) callback();
  }
}
