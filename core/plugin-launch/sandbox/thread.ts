import { Worker } from 'node:worker_threads';
import { GantryError, internal } from '@gantry/sdk';
import type { Abortable } from '../../support/index.ts';
import type { SandboxJob, SandboxReply } from './job.ts';

/** The thread that builds one sandbox, and then ends by itself. */
export class SandboxThread implements AsyncDisposable {
  readonly #thread = new Worker(new URL('worker.ts', import.meta.url), {
    name: 'plugin-launch',
    env: {},
    // What it opens by system calls of its own is unknown to Node, which would warn of it.
    trackUnmanagedFds: false,
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 },
  });
  readonly #reply = Promise.withResolvers<SandboxReply>();
  readonly #ended = Promise.withResolvers<void>();
  #hasJob = false;

  constructor() {
    this.#reply.promise.catch(() => undefined);
    this.#thread.once('message', (reply: SandboxReply) => this.#reply.resolve(reply));
    this.#thread.once('error', (error: Error) =>
      this.#reply.reject(internal(`a plugin's sandbox was not built: ${error.message}`, { cause: error })),
    );
    this.#thread.once('exit', (code) => {
      this.#reply.reject(internal(`a plugin's sandbox was not built: its thread ended with ${code}`));
      this.#ended.resolve();
    });
  }

  /** Rejects with what went wrong in the thread, or with the signal's reason while it goes on: it cannot be stopped in the middle of a system call. */
  async run(job: SandboxJob, { signal }: Abortable): Promise<void> {
    signal.throwIfAborted();
    this.#hasJob = true;
    this.#thread.postMessage(job);
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const reply = await Promise.race([this.#reply.promise, aborted.promise]);
      if (reply.kind === 'failed') throw new GantryError(reply.code, reply.message, { hint: reply.hint });
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** When it starts nothing any more. */
  async idle(): Promise<void> {
    if (this.#hasJob) await this.#reply.promise.catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasJob) await this.#thread.terminate();
    await this.#ended.promise;
  }
}
