/** What everything that can wait takes as its last argument. The doc of each function says what abort does to it. */
export interface Abortable {
  readonly signal: AbortSignal;
}

export interface DeadlineOptions<T> {
  readonly signal?: AbortSignal | undefined;
  /** Receives a result that arrived after the deadline or the abort, so that what was acquired late can still be released. */
  readonly onLate?: ((value: T) => void | Promise<void>) | undefined;
  /** Given what starts the time anew: for work that shows that it goes on. */
  readonly onStart?: ((again: () => void) => void) | undefined;
}

/** One signal that fires with the first of the given ones, and with its reason. */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const given = signals.filter((signal) => signal !== undefined);
  const [only] = given;
  return only !== undefined && given.length === 1 ? only : AbortSignal.any(given);
}

/**
 * Runs `work` under a signal that fires at the deadline (a `TimeoutError`) or with the caller's signal.
 * Rejects at that moment even if `work` does not listen; its late result goes to `onLate`, its late failure is dropped.
 */
export async function withDeadline<T>(
  timeoutMs: number,
  work: (options: Abortable) => T | Promise<T>,
  { signal, onLate, onStart }: DeadlineOptions<T> = {},
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const cancelled = Promise.withResolvers<never>();
  const cancel = (reason: unknown): void => {
    controller.abort(reason);
    cancelled.reject(reason);
  };
  const onAbort = (): void => cancel(signal?.reason);
  const timer = setTimeout(() => cancel(new DOMException(`no answer within ${timeoutMs} ms`, 'TimeoutError')), timeoutMs);
  onStart?.(() => timer.refresh());
  signal?.addEventListener('abort', onAbort, { once: true });
  const running = Promise.try(work, { signal: controller.signal });
  running.then((value) => (controller.signal.aborted ? onLate?.(value) : undefined)).catch(() => undefined);
  try {
    return await Promise.race([running, cancelled.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Both at once. When one fails the other is waited for before its error is thrown, so that undoing finds nothing under way. The first one's error wins. */
export async function allSettledOrThrow<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return [await first, await second];
}

/** The signal for undo work: never the caller's, which may have fired already, yet bounded. Does not keep the process alive. */
export function undoSignal(timeoutMs = 10_000): AbortSignal {
  return AbortSignal.timeout(timeoutMs);
}
