import { UnixDatagramSocket } from '@gantry/sdk/linux';

/** What systemd asked of a service that it started: sd_notify(3), sd_watchdog_enabled(3). */
export interface Notifier extends Disposable {
  /** Requests are answered from now on. */
  ready(): void;
  /** Settings are read anew; `ready` ends it. */
  reloading(): void;
}

/**
 * Tells the service manager how the engine fares, if one started us: that it is alive as long as its event loop turns. The variables are taken
 * out of the environment: monitors and plugins would speak in our name. Nothing that goes wrong here stops the engine.
 */
export function notifier(environment: NodeJS.ProcessEnv): Notifier {
  const { NOTIFY_SOCKET: path = '', WATCHDOG_USEC: watchdogUs = '', WATCHDOG_PID: watchdogPid } = environment;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  const send = (message: string): void => void tell(path, message).catch(() => undefined);
  const intervalMs = watchdogPid === undefined || Number(watchdogPid) === process.pid ? Number(watchdogUs) / 2e3 : 0;
  const timer = intervalMs > 0 ? setInterval(() => send('WATCHDOG=1'), intervalMs) : undefined;
  timer?.unref();
  return {
    ready: () => send('READY=1\nSTATUS=answers requests'),
    reloading: () => send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    [Symbol.dispose]: () => {
      clearInterval(timer);
      send('STOPPING=1');
    },
  };
}

/** A name that begins with @ is one of Linux's abstract sockets, which systemd uses in containers alone. */
async function tell(path: string, message: string): Promise<void> {
  if (!path.startsWith('/')) return;
  using socket = new UnixDatagramSocket(path);
  await socket.send(Buffer.from(message), { signal: AbortSignal.timeout(1_000) });
}
