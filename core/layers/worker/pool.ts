import { Worker } from 'node:worker_threads';
import { type Abortable, GantryError, internal, messageOf } from '@gantry/sdk';
import { controlCells, type FromWorker, type JobName, type JobOf, type ResultOf, type ToWorker, window } from './protocol.ts';

export interface JobStreams extends Abortable {
  readonly input?: AsyncIterable<Buffer>;
  /** Takes each output; its answer is waited for before more than a few further ones are made. */
  readonly output?: (chunk: Buffer) => Promise<void> | void;
}

const idleMs = 10_000;
let lastJob = 0;

/** A few threads for work on trees, started when there is some and ended when there has been none for a while. */
export class TreeWorkers implements AsyncDisposable {
  readonly #limit: number;
  readonly #idle: TreeWorker[] = [];
  readonly #all = new Set<TreeWorker>();
  readonly #waiting: (() => void)[] = [];

  constructor({ limit = 2 }: { readonly limit?: number } = {}) {
    this.#limit = limit;
  }

  /** Runs one job when a thread is free. Abort takes it from the queue, or stops it and waits until it has stopped. */
  async run<Name extends JobName>(name: Name, job: JobOf<Name>, streams: JobStreams = {}): Promise<ResultOf<Name>> {
    streams.signal?.throwIfAborted();
    const worker = await this.#take(streams.signal);
    try {
      return (await worker.run(name, job, streams)) as ResultOf<Name>;
    } finally {
      this.#giveBack(worker);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.end()));
  }

  async #take(signal: AbortSignal | undefined): Promise<TreeWorker> {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle !== undefined) return idle.wake();
      if (this.#all.size < this.#limit) return this.#start();
      await this.#turn(signal);
    }
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => {
      this.#waiting.splice(this.#waiting.indexOf(resolve), 1);
      reject(signal?.reason);
    };
    this.#waiting.push(resolve);
    signal?.addEventListener('abort', leave, { once: true });
    await promise;
    signal?.removeEventListener('abort', leave);
  }

  #start(): TreeWorker {
    const worker: TreeWorker = new TreeWorker(() => {
      this.#all.delete(worker);
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
      this.#waiting.shift()?.();
    });
    this.#all.add(worker);
    return worker;
  }

  #giveBack(worker: TreeWorker): void {
    if (!this.#all.has(worker)) return;
    worker.sleep();
    this.#idle.push(worker);
    this.#waiting.shift()?.();
  }
}

class TreeWorker {
  readonly #thread = new Worker(new URL('main.ts', import.meta.url), {
    name: 'layers',
    stdin: false,
    resourceLimits: { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 8 },
  });
  #timer: NodeJS.Timeout | undefined;
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

  sleep(): void {
    this.#thread.unref();
    this.#timer = setTimeout(() => void this.#thread.terminate(), idleMs).unref();
  }

  async end(): Promise<void> {
    await this.#thread.terminate();
  }

  async run(name: JobName, job: JobOf<JobName>, { input, output, signal }: JobStreams): Promise<unknown> {
    const id = ++lastJob;
    const control = new SharedArrayBuffer(8);
    const cells = new Int32Array(control);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const taken = new Semaphore(window);
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
    };
    let taking = Promise.resolve();
    this.#onDeath = (error) => reject(internal(`layers thread ended: ${error.message}`, { cause: error }));
    this.#onMessage = (message) => {
      if (message.kind === 'output') {
        taking = taking.then(() => take(message.chunk)).catch(fail);
      } else if (message.kind === 'taken') taken.release();
      else if (message.kind === 'done') resolve(message.result);
      else reject(new GantryError(message.code, message.message, { ...message.facts, facts: { errno: message.errno } }));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#send({ kind: 'job', id, name, job, control });
    const isOver = promise.then(
      () => undefined,
      () => undefined,
    );
    if (input !== undefined) void this.#feed(input, { id, taken, isOver }).catch(fail);
    try {
      const result = await promise;
      await taking;
      if (firstFailure !== undefined) throw firstFailure;
      return result;
    } catch (error) {
      throw firstFailure ?? error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#onMessage = () => undefined;
      this.#onDeath = () => undefined;
    }
  }

  async #feed(
    input: AsyncIterable<Buffer>,
    { id, taken, isOver }: { readonly id: number; readonly taken: Semaphore; readonly isOver: Promise<void> },
  ): Promise<void> {
    let over = false;
    void isOver.then(() => (over = true));
    for await (const chunk of input) {
      await Promise.race([taken.acquire(), isOver]);
      if (over) return;
      const copy = new Uint8Array(chunk);
      this.#send({ kind: 'input', id, chunk: copy }, [copy.buffer]);
    }
    if (!over) this.#send({ kind: 'input', id, chunk: undefined });
  }

  #send(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#thread.postMessage(message, transfer);
  }
}

class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(free: number) {
    this.#free = free;
  }

  async acquire(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
