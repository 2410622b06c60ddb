/**
 * One holder at a time per key; waiters are served in the order they came; different keys never wait for each other.
 * Not re-entrant: a holder that acquires its own key again waits for itself until its signal fires.
 */
export class KeyedMutex<Key = string> {
  readonly #waiting = new Map<Key, (() => void)[]>();

  /** Resolves with the lock, released by dispose (a second dispose does nothing). Abort leaves the queue and rejects with the signal's reason. */
  async acquire(key: Key, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<Disposable> {
    signal?.throwIfAborted();
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) this.#waiting.set(key, []);
    else await wait(waiting, signal);
    return this.#lock(key);
  }

  isLocked(key: Key): boolean {
    return this.#waiting.has(key);
  }

  #lock(key: Key): Disposable {
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        const next = this.#waiting.get(key)?.shift();
        if (next === undefined) this.#waiting.delete(key);
        else next();
      },
    };
  }
}

function wait(queue: (() => void)[], signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const enter = (): void => {
    signal?.removeEventListener('abort', leave);
    resolve();
  };
  const leave = (): void => {
    queue.splice(queue.indexOf(enter), 1);
    reject(signal?.reason);
  };
  queue.push(enter);
  signal?.addEventListener('abort', leave, { once: true });
  return promise;
}
