/** What a process may be told through us. SIGWINCH is the window's, SIGPIPE and SIGCHLD are our own. */
const proxied = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGCONT'] as const;

/** Hands every signal this process gets to `send`, until disposed. A signal that cannot be sent is dropped. */
export function proxySignals(send: (signal: string) => Promise<void>): Disposable {
  const forward = (signal: NodeJS.Signals): void => {
    send(signal.slice('SIG'.length)).catch(() => undefined);
  };
  for (const signal of proxied) process.on(signal, forward);
  return {
    [Symbol.dispose]: () => {
      for (const signal of proxied) process.off(signal, forward);
    },
  };
}
