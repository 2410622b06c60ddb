import type { WaitCondition, Waiting } from '@gantry/sdk/engine';
import { keepAlive } from '../../support/index.ts';
import type { Entry, Waiter } from '../entry.ts';

/** Registers at once, so that no end is missed. `not-running` of a container that does not run is answered at once. Abort rejects and forgets the waiter. */
export function waitForEnd(entry: Entry, condition: WaitCondition, signal?: AbortSignal): Waiting {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly exitCode: number; readonly error?: string }>();
  if (condition === 'not-running' && !entry.isRunning) {
    const { exitCode, error } = entry.state;
    return { result: Promise.resolve({ exitCode, ...(error === '' ? {} : { error }) }) };
  }
  // A program that awaits nothing else must not end before the container does.
  const alive = keepAlive();
  const waiter: Waiter = {
    condition,
    resolve: (result) => {
      alive[Symbol.dispose]();
      signal?.removeEventListener('abort', onAbort);
      resolve(result);
    },
  };
  const onAbort = (): void => {
    alive[Symbol.dispose]();
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
