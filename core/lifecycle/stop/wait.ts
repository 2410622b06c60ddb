import type { WaitCondition, Waiting } from '@gantry/sdk/engine';
import type { Entry, Waiter } from '../entry.ts';

/** Registers at once, so that no end is missed. `not-running` of a container that does not run is answered at once. Abort rejects and forgets the waiter. */
export function waitForEnd(entry: Entry, condition: WaitCondition, signal?: AbortSignal): Waiting {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly exitCode: number; readonly error?: string }>();
  if (condition === 'not-running' && !entry.isRunning) {
    const { exitCode, error } = entry.state;
    return { result: Promise.resolve({ exitCode, ...(error === '' ? {} : { error }) }) };
  }
  const waiter: Waiter = {
    condition,
    resolve: (result) => {
      signal?.removeEventListener('abort', onAbort);
      resolve(result);
    },
  };
  const onAbort = (): void => {
    entry.waiters.delete(waiter);
    reject(signal?.reason as Error);
  };
  entry.waiters.add(waiter);
  signal?.addEventListener('abort', onAbort, { once: true });
  return { result: promise };
}

/** Whether the container's process ended within the time. */
export async function endsWithin(entry: Entry, timeoutMs: number): Promise<boolean> {
  const signal = timeoutMs < 0 ? undefined : AbortSignal.timeout(timeoutMs);
  return await waitForEnd(entry, 'not-running', signal).result.then(
    () => true,
    () => false,
  );
}
