import { setTimeout as sleep } from 'node:timers/promises';
import { untilAborted } from '../author/keyed-queue.ts';
import { GantryError } from '../errors.ts';
import type { Entry, LogDriver, Open, WriteRequest } from '../log/contract.ts';
import type { Ctx } from '../types/index.ts';

export interface PumpOptions {
  readonly driver: LogDriver;
  readonly open: Open;
  readonly ctx: (signal: AbortSignal) => Ctx;
}

const mostEntries = 1_000;
const mostBytes = 256 * 1024;
/** Bytes of lines that wait for their ack: more are not taken, so that who writes waits, as Docker's blocking mode has it. */
const mostUnacked = 4 * 1024 * 1024;
const longestPauseMs = 30_000;

/** From one container's output to a driver: batches with numbers, sent again from the last ack when the driver failed. */
export class LogPump {
  readonly #options: PumpOptions;
  readonly #gaveUp = new AbortController();
  readonly #done: Promise<void>;
  #unacked: readonly Entry[] = [];
  #bytes = 0;
  #firstSeq = 1;
  #isClosed = false;
  #changed = Promise.withResolvers<void>();

  constructor(options: PumpOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  /** Resolves when there is room for more. */
  async add(entries: readonly Entry[]): Promise<void> {
    this.#unacked = [...this.#unacked, ...entries];
    this.#bytes += bytesOf(entries);
    this.#change();
    while (this.#bytes > mostUnacked && !this.#gaveUp.signal.aborted) await this.#changed.promise;
  }

  /** Resolves when the driver has all of it, or the time is over; answers how many entries it did not take. */
  async close(flushDeadlineMs: number): Promise<number> {
    this.#isClosed = true;
    this.#change();
    const timer = setTimeout(() => this.#giveUp(), flushDeadlineMs);
    await this.#done;
    clearTimeout(timer);
    return this.#unacked.length;
  }

  #giveUp(): void {
    this.#gaveUp.abort(new DOMException('the log was not taken in time', 'TimeoutError'));
    this.#change();
  }

  async #run(): Promise<void> {
    const { signal } = this.#gaveUp;
    for (let pauseMs = 500; !signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const before = this.#firstSeq;
      try {
        await untilAborted(this.#session(signal), signal);
        if (this.#isClosed && this.#unacked.length === 0) return;
      } catch (error) {
        if (signal.aborted) return;
        const wished = GantryError.is(error) ? error.retryAfterMs : undefined;
        if (this.#firstSeq > before) pauseMs = 500;
        const { log } = this.#options.ctx(signal);
        log.warn({ err: error, container: this.#options.open.container.name }, 'the log is not taken; it is tried again');
        await sleep(wished ?? pauseMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** One `write` of the driver's. */
  async #session(signal: AbortSignal): Promise<void> {
    const { driver, ctx } = this.#options;
    for await (const { ackedSeq, retryAfterMs, warning } of driver.write(this.#requests(signal), ctx(signal))) {
      this.#acked(ackedSeq);
      if (warning !== undefined) ctx(signal).log.warn(warning);
      if (retryAfterMs !== undefined) await sleep(retryAfterMs, undefined, { signal });
    }
  }

  async *#requests(signal: AbortSignal): AsyncGenerator<WriteRequest> {
    yield { kind: 'open', ...this.#options.open };
    let next = this.#firstSeq;
    for (;;) {
      // Acks come while a batch is on its way: what is sent is settled before.
      const firstSeq = Math.max(next, this.#firstSeq);
      const entries = cut(this.#unacked.slice(firstSeq - this.#firstSeq));
      if (entries.length > 0) {
        next = firstSeq + entries.length;
        yield { kind: 'batch', firstSeq, entries, droppedBefore: 0 };
      } else if (this.#isClosed) {
        yield { kind: 'close', flushDeadlineMs: longestPauseMs };
        return;
      } else await untilAborted(this.#changed.promise, signal);
    }
  }

  #acked(seq: number): void {
    const count = Math.min(Math.max(0, seq - this.#firstSeq + 1), this.#unacked.length);
    if (count === 0) return;
    this.#bytes -= bytesOf(this.#unacked.slice(0, count));
    this.#unacked = this.#unacked.slice(count);
    this.#firstSeq += count;
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** What may be in one batch, and at least one entry. */
function cut(entries: readonly Entry[]): readonly Entry[] {
  let bytes = 0;
  const end = entries.slice(0, mostEntries).findIndex(({ line }, index) => (bytes += line.length) > mostBytes && index > 0);
  return entries.slice(0, end < 0 ? mostEntries : end);
}

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { line }) => sum + line.length + 64, 0);
}
