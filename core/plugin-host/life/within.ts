import { anySignal } from '../../support/index.ts';

/** Waits for the promise so long and no longer. What it waits for goes on when the waiting is given up. */
export async function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal | undefined): Promise<T> {
  const timeout = Number.isFinite(ms) ? AbortSignal.timeout(ms) : undefined;
  const either = anySignal(timeout, signal);
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(either.reason);
  either.addEventListener('abort', stop, { once: true });
  try {
    either.throwIfAborted();
    return await Promise.race([promise, stopped.promise]);
  } finally {
    either.removeEventListener('abort', stop);
  }
}
