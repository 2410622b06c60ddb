import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { internal, invalidArgument, type Logger, messageOf } from '@gantry/sdk';
import type { Engine } from '@gantry/sdk/engine';
import type { AuthzLink, ServeRequest, Serving } from '@gantry/sdk/frontend';
import { asFunction, asValue, type AwilixContainer, createContainer, InjectionMode } from 'awilix/browser';
import { BuildsRoom } from './builds/index.ts';
import { StoreCheck } from './check/index.ts';
import { collectRemains } from './collect.ts';
import { Content } from './content/index.ts';
import { driverContext, driverName } from './drivers/index.ts';
import { EventBus } from './events/index.ts';
import { Helpers } from './execute/index.ts';
import { ImagesRoom } from './images/index.ts';
import { Layers } from './layers/index.ts';
import { Lifecycle } from './lifecycle/index.ts';
import { Logs } from './logs/index.ts';
import { Database, pluginState } from './metadata/index.ts';
import { type NetworkDefaults, NetworksRoom } from './networks/index.ts';
import { defaultRoots, type EngineOptions, silentLog } from './options.ts';
import { PluginHost } from './plugin-host/index.ts';
import { registries } from './registries.ts';
import { openRoots } from './roots.ts';
import { randomId } from './support/index.ts';
import { Actions, engineVersion, SystemRoom } from './system/index.ts';
import { VolumesRoom } from './volumes/index.ts';

/** An engine in this process. */
export interface LocalEngine extends Engine {
  /** Serves the engine by every installed front end; at least one address must be understood. */
  serve(request: Pick<ServeRequest, 'hosts' | 'socketGroup' | 'tls'>): Promise<Serving>;
  /** Takes these settings from now on, and says so to who listens to events. */
  reload(settings: Pick<EngineOptions, 'labels' | 'debug'>): void;
  /** Resolves when what an earlier engine left has been taken over: running containers, their logs and networks. */
  readonly recovered: Promise<void>;
}

interface Rooms {
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

/** The only place that knows how rooms fit together. */
function wire(options: Rooms['options'], database: Database): AwilixContainer<Rooms> {
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

/** What the engine is told that only drivers of one kind can use. */
function kindSettings({ runtimes, defaultRuntime, insecureRegistries, registryMirrors, proxies, ...given }: EngineOptions) {
  const { storageOptions, addressPools, downloadAttempts } = given;
  return {
    graph: { ...storageOptions },
    ipam: { ...(addressPools && { defaultAddressPools: addressPools }) },
    transport: {
      ...(downloadAttempts !== undefined && { attempts: downloadAttempts }),
      ...(insecureRegistries && { insecureRegistries }),
      ...(registryMirrors && { registryMirrors }),
      ...(proxies && { proxies }),
    },
    exec: { ...(runtimes && { runtimes }), ...(defaultRuntime !== undefined && { defaultRuntime }) },
  };
}

function networkDefaults({ dns, dnsSearch, dnsOptions, ...given }: EngineOptions): NetworkDefaults {
  const { publishAddress, bridgeCidr, mtu, interContainer, userlandProxy, networkOptions, hostGatewayIps } = given;
  return {
    ...(dns && { dns }),
    ...(dnsSearch && { dnsSearch }),
    ...(dnsOptions && { dnsOptions }),
    ...(publishAddress !== undefined && { publishAddress }),
    ...(bridgeCidr !== undefined && { bridgeCidr }),
    ...(mtu !== undefined && { mtu }),
    ...(interContainer !== undefined && { interContainer }),
    ...(userlandProxy !== undefined && { userlandProxy }),
    ...(networkOptions && { networkOptions }),
    ...(hostGatewayIps && { hostGatewayIps }),
  };
}

/** What nearly every room needs. */
function pick({ database, drivers, events, options: { log } }: Rooms) {
  return { database, drivers, events, log };
}

/** What has other drivers goes on; what needs a new layer is told in full. */
function warnOfStorageDriver({ drivers, options: { storageDriver, log } }: Rooms): void {
  if (storageDriver !== undefined && !drivers.has('graph', storageDriver))
    log.error({ driver: storageDriver, installed: drivers.names('graph') }, 'the storage driver is not installed');
}

/** What a user chose while the engine ran counts more than what it was started with. */
function graphDriver({ options: { storageDriver }, drivers }: Rooms): Promise<string> {
  return storageDriver === undefined || drivers.isChosen('graph') ? drivers.preferred('graph') : drivers.usable('graph', storageDriver);
}

/** Without one of them no request is let in; containers are taken over all the same. */
async function tellMissing(authorization: readonly AuthzLink[], log: Logger): Promise<void> {
  for (const { name, driver } of authorization) {
    await driver().catch((error: unknown) =>
      log.error(
        { plugin: name, reason: messageOf(error) },
        'the authorization plugin cannot be asked: every request is refused until it can',
      ),
    );
  }
}

function logDriver({ options, drivers }: Rooms): string {
  return options.logDriver === undefined ? drivers.first('log') : driverName(options.logDriver);
}

/** Made once for a data root. */
function engineId(database: Database): string {
  const state = pluginState(database, 'engine');
  const known = state.get('id')?.value;
  if (known !== undefined) return known;
  const id = randomId();
  state.put([{ key: 'id', value: id }]);
  return id;
}

function facade(rooms: Rooms, recovered: Promise<void>, opened: AsyncDisposableStack): LocalEngine {
  const { lifecycle, volumes, events, drivers, options, actions } = rooms;
  const { containers, execs } = lifecycle;
  const engine: LocalEngine = {
    containers: actions.timed('container', containers, {
      create: 'create',
      start: 'start',
      remove: 'delete',
      commit: 'commit',
      changes: 'changes',
    }),
    execs,
    images: actions.timed('image', rooms.images, {
      pull: 'pull',
      push: 'push',
      load: 'load',
      save: 'save',
      remove: 'delete',
      import: 'import',
    }),
    volumes,
    networks: actions.timed('network', rooms.networks, {
      create: 'create',
      remove: 'delete',
      connect: 'connect',
      disconnect: 'disconnect',
    }),
    events,
    plugins: drivers,
    registries: registries({ drivers, log: options.log }),
    builds: rooms.builds,
    recovered,
    get system() {
      return rooms.system;
    },
    reload({ labels = [], debug = false }) {
      rooms.system.reload({ labels, debug });
      events.publish('daemon', 'reload', rooms.system.id, { name: hostname(), labels: JSON.stringify(labels) });
    },
    async serve({ hosts, ...places }) {
      if (hosts.length === 0) throw invalidArgument('no host to listen on');
      await using serving = new AsyncDisposableStack();
      const servings: Serving[] = [];
      const names = options.authorizationPlugins ?? [];
      const authorization = names.map((name) => ({ name, driver: () => drivers.get('authz', name) }));
      await tellMissing(authorization, options.log);
      for (const name of drivers.names('frontend')) {
        const frontend = await drivers.get('frontend', name);
        const request = { engine, hosts, authorization, ...places };
        servings.push(serving.use(await frontend.serve(request, driverContext(options.log))));
      }
      const addresses = servings.flatMap((each) => each.addresses);
      const lost = hosts.find((host) => !addresses.includes(host));
      if (lost !== undefined)
        throw invalidArgument(`no front end can serve ${lost}`, { hint: `installed are ${drivers.names('frontend').join(', ')}` });
      const kept = serving.move();
      return {
        addresses,
        idleMs: () => Math.min(...servings.map((each) => each.idleMs())),
        [Symbol.asyncDispose]: () => kept.disposeAsync(),
      };
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
  rooms.facade.engine = engine;
  return engine;
}
