const longestTimerMs = 2 ** 31 - 1;

/** Keeps the process from ending until it is disposed: for a wait whose event source does not. */
export function keepAlive(): Disposable {
  const timer = setInterval(() => {}, longestTimerMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
