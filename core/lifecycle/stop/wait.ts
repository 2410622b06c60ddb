import type { WaitCondition, Waiting } from '@gantry/sdk/engine';
import type { Entry, Waiter } from '../entry.ts';

/** Registers at once, so that no end is missed. `not-running` of a container that does not run is answered at once. Abort rejects and forgets the waiter. */
export function waitForEnd(entry: Entry, condition: WaitCondition, signal?: AbortSignal): Waiting {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly exitCode: number; readonly error?: string }>();
  if (condition === 'not-running' && !entry.isRunning) {
    const { exitCode, error } = entry.state;
    return { result: Promise.resolve({ exitCode, ...(error === '' ? {} : { error }) }) };
  }
  // A program that awaits nothing else must not end before the container does.
  const keepAlive = setInterval(() => {}, 2 ** 31 - 1);
  const waiter: Waiter = {
    condition,
    resolve: (result) => {
      clearInterval(keepAlive);
      signal?.removeEventListener('abort', onAbort);
      resolve(result);
    },
  };
  const onAbort = (): void => {
    clearInterval(keepAlive);
    entry.waiters.delete(waiter);
    reject(signal?.reason as Error);
  };
  entry.waiters.add(waiter);
  signal?.addEventListener('abort', onAbort, { once: true });
  return { result: promise };
}

/** Whether the container's process ended within the time; -1 waits for ever. */
export async function endsWithin(entry: Entry, timeoutMs: number): Promise<boolean> {
  const deadline = new AbortController();
  const timer = timeoutMs < 0 ? undefined : setTimeout(() => deadline.abort(), timeoutMs);
  try {
    await waitForEnd(entry, 'not-running', deadline.signal).result;
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
