import { join } from 'node:path';
import { collectRemains } from './collect.ts';
import { facade } from './facade.ts';
import type { LocalEngine } from './local-engine.ts';
import { Database } from './metadata/index.ts';
import { defaultRoots, type EngineOptions, silentLog } from './options.ts';
import { graphDriver, type Rooms, wire } from './rooms.ts';
import { openRoots } from './roots.ts';

/**
 * Opens a data root and answers the engine over it. Nothing is started that no call needs: plugins load with their first use, running
 * containers are taken over in the background. Disposing leaves containers running; the next engine on the same roots finds them.
 */
export async function createEngine(given: EngineOptions = {}): Promise<LocalEngine> {
  const options = { ...defaultRoots, log: silentLog, ...given };
  await using opened = new AsyncDisposableStack();
  const { endedCleanly } = opened.use(openRoots(options));
  const database = opened.use(new Database(join(options.dataRoot, 'metadata.db')));
  const { cradle } = wire(options, database);
  for (const room of ['helpers', 'drivers', 'layers', 'networks', 'volumes', 'logs', 'lifecycle', 'builds'] as const)
    opened.use(cradle[room]);
  await cradle.networks.start();
  if (!endedCleanly) await collect(cradle);
  await cradle.layers.mend();
  warnOfStorageDriver(cradle);
  const recovered = recover(cradle);
  cradle.drivers.start();
  opened.use(finishLater(cradle, recovered));
  opened.defer(() => recovered);
  if (options.imageRetention !== undefined) opened.use(cradle.images.keep(options.imageRetention, options.dataRoot));
  return facade(cradle, recovered, opened.move());
}

/** What the last engine was making when it died goes first; a driver that cannot say what it has keeps no engine from starting. */
async function collect(rooms: Rooms): Promise<void> {
  const { content, layers, images, drivers, options } = rooms;
  try {
    await drivers.collect();
    await collectRemains({ content, layers, images, graphDriver: () => graphDriver(rooms) });
  } catch (error) {
    options.log.warn({ error }, 'could not remove what the last engine left half-made');
  }
}

/** Containers first: a volume is let go of only when nobody has taken it over. */
async function recover({ lifecycle, volumes, builds, options }: Rooms): Promise<void> {
  try {
    await lifecycle.start();
    await builds.reconcile();
    await volumes.reconcile();
  } catch (error) {
    options.log.error({ error }, 'taking over earlier containers failed');
  }
}

/** What a driver was not there for is finished when its plugin is: volumes that nobody detached, or that were being made or removed. */
function finishLater({ events, volumes, options }: Rooms, recovered: Promise<void>): AsyncDisposable {
  const stop = new AbortController();
  const follow = async (): Promise<void> => {
    await recovered;
    for await (const _ready of events.subscribe({ filters: { type: ['plugin'], event: ['ready'] }, signal: stop.signal }))
      await volumes.reconcile();
  };
  const ended = follow().catch((error: unknown) => options.log.warn({ error }, 'plugins are no longer followed'));
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

/** What has other drivers goes on; what needs a new layer is told in full. */
function warnOfStorageDriver({ drivers, options: { storageDriver, log } }: Rooms): void {
  if (storageDriver !== undefined && !drivers.has('graph', storageDriver))
    log.error({ driver: storageDriver, installed: drivers.names('graph') }, 'the storage driver is not installed');
}
