import { closeSync } from 'node:fs';
import { pidfdOpen, waitpid, type ExitStatus } from './process.ts';
import { Watch } from '../sockets/watch.ts';

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Whether waiting keeps this process alive; true by default. */
  readonly keepAlive?: boolean;
}

/**
 * Waits until a child of ours has ended, reaps it and answers how; undefined for a process that is not our child, or that somebody else reaped.
 * Rejects with ESRCH when there is no such process, and with the signal's reason when aborted (the process goes on and can be waited for again).
 */
export async function waitForExit(pid: number, { signal, keepAlive = true }: WaitOptions = {}): Promise<ExitStatus | undefined> {
  signal?.throwIfAborted();
  const pidfd = pidfdOpen(pid);
  try {
    await whenReadable(pidfd, { signal, keepAlive });
  } finally {
    closeSync(pidfd);
  }
  const status = waitpid(pid);
  return typeof status === 'string' ? undefined : status;
}

/** Waits until a descriptor (a pidfd: until its process has ended) is readable. Rejects with the signal's reason when aborted. */
export function whenReadable(descriptor: number, { signal, keepAlive = true }: WaitOptions = {}): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const finish = (): void => {
    watch[Symbol.dispose]();
    signal?.removeEventListener('abort', abort);
  };
  const abort = (): void => {
    finish();
    reject(signal?.reason);
  };
  const watch = new Watch(descriptor, () => {
    finish();
    resolve();
  });
  if (!keepAlive) watch.unref();
  if (signal?.aborted) abort();
  else signal?.addEventListener('abort', abort);
  return promise;
}
