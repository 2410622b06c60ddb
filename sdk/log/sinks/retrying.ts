import { setTimeout as sleep } from 'node:timers/promises';
import { GantryError } from '../../errors.ts';

export interface RetryOptions {
  /** In all; the last failure is thrown. */
  readonly tries: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** By which each pause is longer than the one before; 2 unless given. */
  readonly factor?: number;
  readonly signal: AbortSignal;
}

/** Does something again while it is `unavailable`, after growing pauses, or as long as the error says. Rejects with the signal's reason when aborted, with any other error at once. */
export async function retrying<T>(work: () => Promise<T>, { tries, firstMs, lastMs, factor = 2, signal }: RetryOptions): Promise<T> {
  let pauseMs = firstMs;
  for (let left = tries; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (left <= 1 || !GantryError.is(error) || error.code !== 'unavailable') throw error;
      await sleep(Math.min(Math.max(pauseMs, error.retryAfterMs ?? 0), lastMs), undefined, { signal });
      pauseMs *= factor;
    }
  }
}
