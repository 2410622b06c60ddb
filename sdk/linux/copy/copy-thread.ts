import { Worker } from 'node:worker_threads';
import type { CopyFailure } from './main.ts';
import type { WalkJob } from './walk.ts';

const idleMs = 30_000;
/** How long an aborted copy waits for a thread that is in a call. */
const patienceMs = 2_000;

/** A thread that has part in one copy after the other. */
export class CopyThread {
  readonly #thread = new Worker(new URL('main.ts', import.meta.url), { name: 'copy', stdin: false, trackUnmanagedFds: false });
  readonly #gone: () => void;
  #timer: NodeJS.Timeout | undefined;
  #tell: (failure: NodeJS.ErrnoException | undefined) => void = () => undefined;

  /** `gone` is called when it is not to be run again. */
  constructor(gone: () => void) {
    this.#gone = gone;
    this.#thread.on('message', (failure: CopyFailure | undefined) =>
      this.#tell(failure && Object.assign(new Error(failure.message), failure)),
    );
    this.#thread.on('error', (error: Error) => this.#tell(error));
    this.#thread.on('exit', (code) => {
      gone();
      this.#tell(new Error(`a thread that copies ended: exit code ${code}`));
    });
  }

  /** Answers what went wrong, if anything did. After an abort the copy is to be stopped; a thread that is in a call then which does not end is left alone with it. */
  async run(job: WalkJob, signal: AbortSignal): Promise<NodeJS.ErrnoException | undefined> {
    clearTimeout(this.#timer);
    this.#thread.ref();
    const { promise, resolve } = Promise.withResolvers<NodeJS.ErrnoException | undefined>();
    this.#tell = resolve;
    const onAbort = (): void => {
      this.#timer = setTimeout(() => {
        void this.end();
        resolve(new Error('a thread that copies does not stop'));
      }, patienceMs);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#thread.postMessage(job);
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(this.#timer);
      this.#tell = () => undefined;
    }
  }

  /** Until it is run again, or for so long that it ends. */
  rest(): void {
    this.#thread.unref();
    this.#timer = setTimeout(() => void this.end(), idleMs).unref();
  }

  async end(): Promise<void> {
    clearTimeout(this.#timer);
    this.#gone();
    this.#thread.unref();
    await this.#thread.terminate();
  }
}
