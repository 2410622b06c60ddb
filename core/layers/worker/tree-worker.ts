import { Worker } from 'node:worker_threads';
import { type Abortable, GantryError, internal, messageOf } from '@gantry/sdk';
import { leaveThread } from '../../execute/index.ts';
import { Turns } from '../../support/index.ts';
import { controlBytes, controlCells, type FromWorker, type JobName, type JobOf, type ToWorker, window } from './protocol.ts';

export interface JobStreams extends Abortable {
  readonly input?: AsyncIterable<Buffer>;
  /** Takes each output; its answer is waited for before more than a few further ones are made. */
  readonly output?: (chunk: Buffer) => Promise<void> | void;
}

/** One of them ends when it had no work for so long. */
const idleMs = 10_000;
/** A thread that told nothing for so long may be in a call that never returns, as to a file system whose server hangs. */
export const silentMs = 2_000;
/** How long the end waits for a thread. */
const endMs = 2_000;
let lastJob = 0;

/** A thread that does one job after the other. */
export class TreeWorker {
  readonly #thread = new Worker(new URL('main.ts', import.meta.url), {
    name: 'layers',
    stdin: false,
    resourceLimits: { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 8 },
  });
  #timer: NodeJS.Timeout | undefined;
  /** The tree it works on, if it is one. */
  root: string | undefined;
  /** While it works: when it last told something, or was seen to get on. */
  #heardAt: number | undefined;
  #seenBeats = 0;
  #beats: () => number = () => 0;
  #isWaitingForUs: () => boolean = () => false;
  #onMessage: (message: FromWorker) => void = () => undefined;
  #onDeath: (error: Error) => void = () => undefined;

  constructor(died: () => void) {
    this.#thread.on('message', (message: FromWorker) => this.#onMessage(message));
    this.#thread.on('error', (error: Error) => this.#onDeath(error));
    this.#thread.on('exit', (code) => {
      clearTimeout(this.#timer);
      died();
      this.#onDeath(new Error(`exit code ${code}`));
    });
  }

  wake(): this {
    clearTimeout(this.#timer);
    this.#thread.ref();
    return this;
  }

  /** Until it is woken, or has slept for too long: then it ends, and `leave` is called before, for nobody is to wake it any more. */
  sleep(leave: () => void): void {
    this.#thread.unref();
    this.#timer = setTimeout(() => {
      leave();
      void this.#thread.terminate();
    }, idleMs).unref();
  }

  async end(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      leaveThread(this.#thread);
      this.#onDeath(new Error('it did not end'));
      resolve();
    }, endMs);
    await Promise.race([this.#thread.terminate(), promise]);
    clearTimeout(timer);
  }

  /** For a while, and not because it waits for whoever gives it its input or takes its output. */
  get isSilent(): boolean {
    const beats = this.#beats();
    if (this.#heardAt !== undefined && beats !== this.#seenBeats) this.#heardAt = performance.now();
    this.#seenBeats = beats;
    return this.#heardAt !== undefined && performance.now() - this.#heardAt > silentMs && !this.#isWaitingForUs();
  }

  async run(name: JobName, job: JobOf<JobName>, { input, output, signal }: JobStreams): Promise<unknown> {
    const id = ++lastJob;
    const control = new SharedArrayBuffer(controlBytes);
    const cells = new Int32Array(control);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#beats = () => Atomics.load(cells, controlCells.beats);
    this.#seenBeats = 0;
    let untaken = 0;
    const feeding = new Feeding(input === undefined);
    this.#isWaitingForUs = () => untaken > 0 || feeding.isWaitingForInput;
    const stop = (): void => {
      Atomics.store(cells, controlCells.stop, 1);
      Atomics.add(cells, controlCells.taken, 0);
      Atomics.notify(cells, controlCells.taken);
      this.#send({ kind: 'input', id, chunk: undefined });
    };
    let firstFailure: Error | undefined;
    const fail = (error: unknown): void => {
      firstFailure ??= error instanceof Error ? error : new Error(messageOf(error));
      stop();
    };
    const onAbort = (): void => fail(signal?.reason);
    const take = async (chunk: Uint8Array): Promise<void> => {
      await output?.(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      Atomics.add(cells, controlCells.taken, 1);
      Atomics.notify(cells, controlCells.taken);
      untaken -= 1;
    };
    let taking = Promise.resolve();
    this.#onDeath = (error) => reject(internal(`layers thread ended: ${error.message}`, { cause: error }));
    this.#heardAt = performance.now();
    this.#onMessage = (message) => {
      this.#heardAt = performance.now();
      if (message.kind === 'output') {
        untaken += 1;
        taking = taking.then(() => take(message.chunk)).catch(fail);
      } else if (message.kind === 'taken') feeding.taken();
      else if (message.kind === 'done') resolve(message.result);
      else reject(new GantryError(message.code, message.message, { ...message.facts, facts: { errno: message.errno } }));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#send({ kind: 'job', id, name, job, control });
    if (input !== undefined) void this.#feed(input, id, feeding).catch(fail);
    try {
      const result = await promise;
      await taking;
      if (firstFailure !== undefined) throw firstFailure;
      return result;
    } catch (error) {
      throw firstFailure ?? error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      feeding.end();
      this.#heardAt = undefined;
      this.#onMessage = () => undefined;
      this.#onDeath = () => undefined;
    }
  }

  async #feed(input: AsyncIterable<Buffer>, id: number, feeding: Feeding): Promise<void> {
    for await (const chunk of input) {
      if (!(await feeding.next())) return;
      const copy = new Uint8Array(chunk);
      this.#send({ kind: 'input', id, chunk: copy }, [copy.buffer]);
    }
    if (!feeding.isOver) this.#send({ kind: 'input', id, chunk: undefined });
    feeding.end();
  }

  #send(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#thread.postMessage(message, transfer);
  }
}

/** Inputs on their way to the thread: no more than a window of them, until the job is over or there are no more. */
class Feeding {
  readonly #turns = new Turns(window);
  readonly #untaken: Disposable[] = [];
  readonly #over = new AbortController();

  constructor(hasNone: boolean) {
    if (hasNone) this.end();
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  get isWaitingForInput(): boolean {
    return !this.isOver && this.#untaken.length === 0;
  }

  /** When another may be sent; false when nobody wants it any more. */
  async next(): Promise<boolean> {
    try {
      this.#untaken.push(await this.#turns.take({ signal: this.#over.signal }));
      return true;
    } catch {
      return false;
    }
  }

  /** The thread has taken the oldest. */
  taken(): void {
    this.#untaken.shift()?.[Symbol.dispose]();
  }

  end(): void {
    this.#over.abort();
  }
}
