import { fileURLToPath } from 'node:url';
import { internal } from '@gantry/sdk';
import type { Engine } from '@gantry/sdk/engine';
import { asFunction, asValue, type AwilixContainer, createContainer, InjectionMode } from 'awilix/browser';
import { BuildsRoom } from './builds/index.ts';
import { StoreCheck } from './check/index.ts';
import { Content } from './content/index.ts';
import { driverName } from './drivers/index.ts';
import { EventBus } from './events/index.ts';
import { Helpers } from './execute/index.ts';
import { ImagesRoom } from './images/index.ts';
import { Layers } from './layers/index.ts';
import { Lifecycle } from './lifecycle/index.ts';
import { Logs } from './logs/index.ts';
import type { Database } from './metadata/index.ts';
import { NetworksRoom } from './networks/index.ts';
import type { EngineOptions } from './options.ts';
import { PluginHost } from './plugin-host/index.ts';
import { engineId, kindSettings, networkDefaults } from './room-settings.ts';
import { Actions, engineVersion, SystemRoom } from './system/index.ts';
import { VolumesRoom } from './volumes/index.ts';

export interface Rooms {
  readonly options: Required<Pick<EngineOptions, 'dataRoot' | 'execRoot' | 'log'>> & EngineOptions;
  readonly database: Database;
  readonly actions: Actions;
  readonly events: EventBus;
  readonly drivers: PluginHost;
  readonly helpers: Helpers;
  readonly content: Content;
  readonly layers: Layers;
  readonly images: ImagesRoom;
  readonly networks: NetworksRoom;
  readonly volumes: VolumesRoom;
  readonly logs: Logs;
  readonly lifecycle: Lifecycle;
  readonly builds: BuildsRoom;
  /** What builders are given: the facade. */
  readonly facade: { engine?: Engine };
  readonly check: StoreCheck;
  readonly system: SystemRoom;
}

/** The engine's own plugins, loaded from their manifests like anybody's. */
const ownPlugins = fileURLToPath(new URL('../plugins', import.meta.url));

/** The only place that knows how rooms fit together. */
export function wire(options: Rooms['options'], database: Database): AwilixContainer<Rooms> {
  const { dataRoot, execRoot, log } = options;
  const container = createContainer<Rooms>({ injectionMode: InjectionMode.PROXY, strict: true });
  const room = <Room>(make: (rooms: Rooms) => Room) => asFunction(make).singleton();
  container.register({
    options: asValue(options),
    database: asValue(database),
    actions: room(() => new Actions()),
    events: room(() => new EventBus()),
    drivers: room(
      (rooms) =>
        new PluginHost({
          ...options,
          database,
          events: rooms.events,
          version: engineVersion(),
          installTools: () => ({ drivers: rooms.drivers, trees: rooms.layers.workers, log }),
          pluginDirs: [ownPlugins, ...(options.pluginDirs ?? [])],
          kindSettings: kindSettings(options),
          cgroupParent: options.pluginCgroup,
        }),
    ),
    content: room(() => new Content(dataRoot)),
    helpers: room(() => new Helpers({ execRoot, log, cgroupParent: options.pluginCgroup })),
    layers: room(
      (rooms) =>
        new Layers({
          ...pick(rooms),
          content: rooms.content,
          helpers: rooms.helpers,
          dataRoot,
          execRoot,
          onBroken: (id, reason) => rooms.lifecycle.rootfsBroke(id, reason),
          idMapsOf: (id) => rooms.lifecycle.idMapsOf(id),
        }),
    ),
    images: room(
      (rooms) =>
        new ImagesRoom({
          ...pick(rooms),
          layers: rooms.layers,
          content: rooms.content,
          graphDriver: () => graphDriver(rooms),
          users: () => rooms.lifecycle.imageUsers,
        }),
    ),
    networks: room(
      (rooms) =>
        new NetworksRoom({ ...pick(rooms), execRoot, users: () => rooms.lifecycle.networkUsers, defaults: networkDefaults(options) }),
    ),
    volumes: room(
      (rooms) =>
        new VolumesRoom({
          ...pick(rooms),
          execRoot,
          helpers: rooms.helpers,
          users: () => rooms.lifecycle.volumeUsers,
          defaultDriver: rooms.drivers.first('volume'),
        }),
    ),
    logs: room(({ drivers }) => new Logs({ database, drivers, dataRoot, log })),
    lifecycle: room(
      (rooms) =>
        new Lifecycle({
          ...pick(rooms),
          layers: rooms.layers.containers,
          archives: rooms.layers.archives,
          images: rooms.images,
          networks: rooms.networks,
          volumes: rooms.volumes,
          logs: rooms.logs,
          dataRoot,
          execRoot,
          graphDriver: () => graphDriver(rooms),
          execDriver: () => rooms.drivers.first('exec'),
          defaultLog: { driver: logDriver(rooms), options: options.logOptions ?? {} },
          ...(options.defaultRuntime === undefined ? {} : { defaultRuntime: options.defaultRuntime }),
          defaults: options.containerDefaults ?? {},
        }),
    ),
    facade: asValue({}),
    builds: room(
      (rooms) =>
        new BuildsRoom({
          ...pick(rooms),
          content: rooms.content,
          images: rooms.images,
          layers: rooms.layers,
          keptVolumes: () => rooms.volumes.usage({ ofBuilds: true }),
          engine: () => {
            if (rooms.facade.engine === undefined) throw internal('the engine is not open yet');
            return rooms.facade.engine;
          },
        }),
    ),
    check: room(({ content, layers, images, volumes }) => new StoreCheck({ database, content, layers, images, volumes })),
    system: room(
      (rooms) =>
        new SystemRoom({
          ...pick(rooms),
          dataRoot,
          execRoot,
          engineId: engineId(database),
          labels: options.labels ?? [],
          debug: options.debug ?? false,
          authorizationPlugins: options.authorizationPlugins ?? [],
          addressPools: options.addressPools ?? [],
          defaults: options.containerDefaults ?? {},
          registries: {
            insecure: options.insecureRegistries ?? [],
            mirrors: options.registryMirrors ?? [],
            proxies: options.proxies ?? {},
          },
          ...(options.defaultRuntime === undefined ? {} : { defaultRuntime: options.defaultRuntime }),
          defaultLogDriver: logDriver(rooms),
          graphDriver: () => graphDriver(rooms),
          skippedGraphDrivers: () => rooms.drivers.skipped('graph'),
          containers: rooms.lifecycle.containers,
          images: rooms.images,
          volumes: rooms.volumes,
          check: rooms.check,
          actions: rooms.actions,
        }),
    ),
  });
  return container;
}

/** What nearly every room needs. */
function pick({ database, drivers, events, options: { log } }: Rooms) {
  return { database, drivers, events, log };
}

/** What a user chose while the engine ran counts more than what it was started with. */
export function graphDriver({ options: { storageDriver }, drivers }: Rooms): Promise<string> {
  return storageDriver === undefined || drivers.isChosen('graph') ? drivers.preferred('graph') : drivers.usable('graph', storageDriver);
}

function logDriver({ options, drivers }: Rooms): string {
  return options.logDriver === undefined ? drivers.first('log') : driverName(options.logDriver);
}
