/** The same items, for as long as the signal lets them come; then throws its reason, whether or not the source listens to it. */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let abort = (): void => undefined;
  const onAbort = (): void => abort();
  signal?.addEventListener('abort', onAbort, { once: true });
  let isDone = false;
  try {
    for (;;) {
      // Not a race against one promise for all items: that promise would keep every item that ever won.
      const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<T>>();
      abort = () => reject(signal?.reason);
      if (signal?.aborted === true) abort();
      else iterator.next().then(resolve, reject);
      const next = await promise;
      if (next.done === true) break;
      yield next.value;
    }
    isDone = true;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    // Not awaited: a source that hangs would hang its reader.
    if (!isDone) iterator.return?.().then(undefined, () => {});
  }
}
