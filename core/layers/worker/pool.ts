import { type JobName, type JobOf, type ResultOf } from './protocol.ts';
import { type JobStreams, silentMs, TreeWorker } from './tree-worker.ts';

/** Threads beyond the limit while as many are silent. */
const mostSilent = 8;

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
    const worker = await this.#take(rootOf(job), streams.signal);
    try {
      return (await worker.run(name, job, streams)) as ResultOf<Name>;
    } finally {
      this.#giveBack(worker);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.end()));
  }

  /** A tree that keeps a thread gets no other, which it would keep as well. */
  async #take(root: string | undefined, signal: AbortSignal | undefined): Promise<TreeWorker> {
    for (;;) {
      const silent = [...this.#all].filter(({ isSilent }) => isSilent);
      const isFree = root === undefined || !silent.some((worker) => worker.root === root);
      const worker = isFree
        ? (this.#idle.pop()?.wake() ?? this.#startWithin(this.#limit + Math.min(silent.length, mostSilent)))
        : undefined;
      if (worker !== undefined) {
        worker.root = root;
        return worker;
      }
      await this.#turn(signal);
    }
  }

  #startWithin(limit: number): TreeWorker | undefined {
    return this.#all.size < limit ? this.#start() : undefined;
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const forget = (): void => {
      const at = this.#waiting.indexOf(resolve);
      if (at >= 0) this.#waiting.splice(at, 1);
    };
    const leave = (): void => {
      forget();
      reject(signal?.reason);
    };
    this.#waiting.push(resolve);
    signal?.addEventListener('abort', leave, { once: true });
    const timer = setTimeout(() => {
      forget();
      resolve();
    }, silentMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    }
  }

  #start(): TreeWorker {
    const worker: TreeWorker = new TreeWorker(() => {
      this.#all.delete(worker);
      this.#leave(worker);
      this.#next();
    });
    this.#all.add(worker);
    return worker;
  }

  #giveBack(worker: TreeWorker): void {
    if (!this.#all.has(worker)) return;
    worker.sleep(() => this.#leave(worker));
    this.#idle.push(worker);
    this.#next();
  }

  #leave(worker: TreeWorker): void {
    const at = this.#idle.indexOf(worker);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** All look again, in their order: the first of them may wait for its tree. */
  #next(): void {
    for (const look of this.#waiting.splice(0)) look();
  }
}

function rootOf(job: JobOf<JobName>): string | undefined {
  if ('root' in job) return job.root;
  if ('copies' in job) return job.lower;
  if ('source' in job) return job.source.kind === 'root' ? job.source.root : undefined;
  return 'comparison' in job ? job.comparison.upper : undefined;
}
