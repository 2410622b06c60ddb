/** The same items, for as long as the signal lets them come; then throws its reason, whether or not the source listens to it. */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const abort = (): void => reject(signal?.reason);
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  let isDone = false;
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), promise]);
      if (next.done === true) break;
      yield next.value;
    }
    isDone = true;
  } finally {
    signal?.removeEventListener('abort', abort);
    // Not awaited: a source that hangs would hang its reader.
    if (!isDone) iterator.return?.().then(undefined, () => {});
  }
}
