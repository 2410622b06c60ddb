import { type DestinationStream, pino, stdTimeFunctions } from 'pino';
import { createEngine } from '../index.ts';
import { restWhenIdle } from './rest.ts';
import { type DaemonOptions, environmentProxies } from '../cli/daemon/index.ts';

/** An engine that serves its API. Disposing stops both, orderly; containers run on. */
export interface Running extends AsyncDisposable {
  readonly addresses: readonly string[];
  /** Resolves when nobody has needed the engine for `idleExitSeconds`; never without that option. */
  readonly ended: Promise<void>;
}

/** An engine with its front ends, as gantryd runs it. Resolves when every address accepts connections. */
export async function serve(options: DaemonOptions, destination?: DestinationStream): Promise<Running> {
  const log = pino(
    {
      level: options.logLevel,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      redact: ['*.auth', '*.password', '*.env', '*.identityToken', '*.secrets', '*.token'],
    },
    destination ?? pino.destination({ fd: 2, sync: false }),
  );
  await using opened = new AsyncDisposableStack();
  const engine = opened.use(await createEngine({ ...options, proxies: { ...environmentProxies(process.env), ...options.proxies }, log }));
  const serving = opened.use(await engine.serve({ hosts: options.hosts, socketGroup: options.group }));
  for (const note of options.notes) log.info(note);
  log.info({ addresses: serving.addresses, dataRoot: options.dataRoot }, 'API listening');
  opened.use(restWhenIdle());
  const idle = Promise.withResolvers<void>();
  if (options.idleExitSeconds !== undefined) {
    const limitMs = options.idleExitSeconds * 1e3;
    const timer = setInterval(() => {
      if (engine.containers.list({}).length === 0 && serving.idleMs() >= limitMs) idle.resolve();
    }, 1_000);
    timer.unref();
    opened.defer(() => clearInterval(timer));
  }
  const kept = opened.move();
  return { addresses: serving.addresses, ended: idle.promise, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
