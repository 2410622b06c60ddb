import { type DestinationStream, pino, stdTimeFunctions } from 'pino';
import { messageOf } from '@gantry/sdk/errors';
import { createEngine } from '../index.ts';
import { writeDump } from './dump.ts';
import { mergeReloaded } from './reload.ts';
import { restWhenIdle } from './rest.ts';
import { type DaemonOptions, environmentProxies, prepared } from '../cli/daemon/index.ts';

/** An engine that serves its API. Disposing stops both, orderly; containers run on. */
export interface Running extends AsyncDisposable {
  readonly addresses: readonly string[];
  /** Resolves when nobody has needed the engine for `idleExitSeconds`; never without that option. */
  readonly ended: Promise<void>;
  /** Takes over what a running engine can of the settings that `read` gives. When that throws, or the settings are wrong, the old ones stay. */
  reload(read: () => DaemonOptions): void;
  /** Writes what the process is doing into a file, which the log names. */
  dump(): void;
}

/** An engine with its front ends, as gantryd runs it. Resolves when every address accepts connections. */
export async function serve(given: DaemonOptions, destination?: DestinationStream): Promise<Running> {
  const log = pino(
    {
      level: given.logLevel,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      redact: ['*.auth', '*.password', '*.env', '*.identityToken', '*.secrets', '*.token'],
    },
    destination ?? pino.destination({ fd: 2, sync: false }),
  );
  const options = prepared(given, (line) => log.info(line));
  await using opened = new AsyncDisposableStack();
  const engine = opened.use(await createEngine({ ...options, proxies: { ...environmentProxies(process.env), ...options.proxies }, log }));
  const serving = opened.use(
    await engine.serve({ hosts: options.hosts, socketGroup: options.group, ...(options.tls && { tls: options.tls }) }),
  );
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
  let current = options;
  return {
    addresses: serving.addresses,
    ended: idle.promise,
    reload(read) {
      try {
        const { options: next, changed, waiting } = mergeReloaded(current, read());
        current = next;
        log.level = next.logLevel;
        engine.reload({ labels: next.labels, debug: next.debug });
        log.info({ changed }, 'settings were read anew');
        if (waiting.length > 0) log.warn({ settings: waiting }, 'these settings are as they were until the engine is started again');
      } catch (error) {
        log.error({ reason: messageOf(error) }, 'settings could not be read: the old ones stay');
      }
    },
    dump() {
      try {
        log.info({ file: writeDump(engine, options.execRoot) }, 'wrote what the engine is doing');
      } catch (error) {
        log.error({ reason: messageOf(error) }, 'could not write what the engine is doing');
      }
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
