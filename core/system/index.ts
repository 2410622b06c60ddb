import { existsSync } from 'node:fs';
import { conflict, type Logger, messageOf } from '@gantry/sdk';
import type {
  ActionTimes,
  CheckOptions,
  CheckReport,
  Containers,
  DiskUsage,
  DiskUsageOptions,
  Images,
  System,
  SystemInfo,
  VolumeInfo,
} from '@gantry/sdk/engine';
import { isDescribing } from '@gantry/sdk/exec';
import type { IdMaps } from '@gantry/sdk/linux';
import { driverContext, type Drivers } from '../drivers/index.ts';
import type { EventBus } from '../events/index.ts';
import { specificationFolders } from '../lifecycle/index.ts';
import { Actions } from './actions.ts';
import { hostFacts } from './host.ts';
import { forwardsIpv4, hostLimits, warningsOf } from './limits.ts';
import { engineVersion } from './version.ts';

export { Actions, engineVersion };

export interface SystemOptions {
  readonly engineId: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly labels: readonly string[];
  readonly registries: SystemInfo['registries'];
  readonly authorizationPlugins: readonly string[];
  readonly addressPools: SystemInfo['addressPools'];
  readonly debug: boolean;
  /** What containers get that leave it open. */
  readonly defaults: {
    readonly noNewPrivileges?: boolean;
    readonly seccompProfile?: string;
    readonly cdiFolders?: readonly string[];
    readonly idMaps?: IdMaps;
  };
  readonly defaultLogDriver: string;
  readonly defaultRuntime?: string;
  readonly graphDriver: () => Promise<string>;
  /** Those that would have come before it. */
  readonly skippedGraphDrivers: () => readonly { readonly driver: string; readonly reason: string }[];
  readonly drivers: Drivers;
  readonly events: EventBus;
  readonly containers: Containers;
  readonly images: Images & { diskUsage(): Pick<DiskUsage, 'layersSizeBytes' | 'layersReclaimableBytes' | 'blobs'> };
  readonly volumes: { usage(): Promise<readonly VolumeInfo[]> };
  readonly actions: Actions;
  readonly check: { run(options: CheckOptions): Promise<CheckReport> };
  readonly log: Logger;
}

/** What `docker info`, `docker version` and `docker system df` show. */
export class SystemRoom implements System {
  readonly #options: SystemOptions;
  readonly #actions: Actions;
  #labels: readonly string[];
  #debug: boolean;

  constructor(options: SystemOptions) {
    this.#options = options;
    this.#actions = options.actions;
    this.#labels = options.labels;
    this.#debug = options.debug;
  }

  get id(): string {
    return this.#options.engineId;
  }

  reload({ labels, debug }: { readonly labels: readonly string[]; readonly debug: boolean }): void {
    this.#labels = labels;
    this.#debug = debug;
  }

  async info(): Promise<SystemInfo> {
    const { engineId, dataRoot, execRoot, registries, authorizationPlugins, addressPools, defaults, drivers, events, images } =
      this.#options;
    const host = hostFacts();
    const [graph, exec, imageList] = await Promise.all([this.#graph(), this.#exec(), images.list({})]);
    const limits = hostLimits(exec.cgroupVersion);
    const forwards = forwardsIpv4();
    return {
      ...host,
      ...graph,
      ...exec,
      limits,
      forwardsIpv4: forwards,
      cdiFolders: defaults.cdiFolders ?? specificationFolders,
      warnings: [...exec.warnings, ...warningsOf(limits, { forwardsIpv4: forwards })],
      authorizationPlugins,
      addressPools,
      debug: this.#debug,
      id: engineId,
      name: host.hostname,
      version: engineVersion(),
      dataRoot,
      execRoot,
      containers: this.#containerCounts(),
      images: imageList.length,
      drivers: {
        volume: drivers.names('volume'),
        network: drivers.names('network'),
        log: drivers.names('log'),
        graph: drivers.names('graph'),
        ipam: drivers.names('ipam'),
        exec: drivers.names('exec'),
      },
      loggingDriver: this.#options.defaultLogDriver,
      securityOptions: securityOptions(exec.cgroupVersion, defaults),
      labels: this.#labels,
      eventListeners: events.listeners,
      liveRestore: true,
      registries,
    };
  }

  actions(): readonly ActionTimes[] {
    return this.#actions.list();
  }

  async version(): ReturnType<System['version']> {
    const { runtimes } = await this.#exec();
    const version = engineVersion();
    return {
      version,
      kernelVersion: hostFacts().kernelVersion,
      buildTime: '',
      components: [
        { name: 'Engine', version },
        ...runtimes.flatMap(({ name, version: runtimeVersion }) => (runtimeVersion === '' ? [] : [{ name, version: runtimeVersion }])),
      ],
    };
  }

  async check(options: CheckOptions = {}): Promise<CheckReport> {
    return this.#options.check.run(options);
  }

  async diskUsage({ kinds = ['image', 'container', 'volume'], signal }: DiskUsageOptions = {}): Promise<DiskUsage> {
    const { containers, images, volumes } = this.#options;
    const [imageList, volumeList, sizes] = await Promise.all([
      kinds.includes('image') ? images.list({ sharedSize: true }) : [],
      kinds.includes('volume') ? volumes.usage() : [],
      kinds.includes('container') ? containers.sizes(containers.list({ all: true })) : [],
    ]);
    signal?.throwIfAborted();
    return { ...images.diskUsage(), images: imageList, containers: sizes, volumes: volumeList };
  }

  #containerCounts(): SystemInfo['containers'] {
    const states = this.#options.containers.list({ all: true }).map(({ state }) => state);
    const running = states.filter(({ status }) => status === 'running').length;
    const paused = states.filter(({ status }) => status === 'paused').length;
    return { total: states.length, running, paused, stopped: states.length - running - paused };
  }

  /** One that does not work is told here, where people look for it; what needs a new layer is refused. */
  async #graph(): Promise<Pick<SystemInfo, 'graphDriver' | 'graphStatus'>> {
    const { drivers, log, graphDriver: chosen, skippedGraphDrivers } = this.#options;
    try {
      const graphDriver = await chosen();
      const driver = await drivers.get('graph', graphDriver);
      const { status } = (await driver.status?.({}, driverContext(log))) ?? { status: [] };
      const skipped = skippedGraphDrivers().map(({ driver: name, reason }) => [`Skipped ${name}`, reason] as const);
      return { graphDriver, graphStatus: [...status.map(({ label, value }) => [label, value] as const), ...skipped] };
    } catch (error) {
      return { graphDriver: 'none', graphStatus: [['Error', messageOf(error)]] };
    }
  }

  async #exec(): Promise<Pick<SystemInfo, 'runtimes' | 'defaultRuntime' | 'cgroupVersion' | 'cgroupDriver' | 'warnings'>> {
    const { drivers, log, defaultRuntime } = this.#options;
    const name = await drivers.preferred('exec');
    const driver = await drivers.get('exec', name);
    if (isDescribing(driver)) throw conflict(`exec driver ${name} only describes processes: it cannot be the first`);
    const { usable, unusable, cgroupVersion, cgroupDriver } = await driver.runtimes({}, driverContext(log));
    const isOther = (other: string): boolean => other !== name && !usable.some((runtime) => runtime.name === other);
    // Other drivers are runtimes by their names; that they are there says no more than that.
    const others = drivers.names('exec').filter(isOther);
    return {
      runtimes: [...usable, ...others.map((other) => ({ name: other, path: '', version: '' }))],
      defaultRuntime: defaultRuntime ?? usable[0]?.name ?? '',
      cgroupVersion: cgroupVersion === 2 ? 2 : 1,
      cgroupDriver,
      warnings: [
        ...(usable.length === 0 ? ['WARNING: no OCI runtime works on this host: install crun or runc'] : []),
        ...usable.flatMap(({ warning }) => (warning === undefined ? [] : [`WARNING: ${warning}`])),
        ...unusable.map((runtime) => `WARNING: runtime ${runtime.name} cannot be used: ${runtime.reason}`),
      ],
    };
  }
}

function securityOptions(
  cgroupVersion: 1 | 2,
  { noNewPrivileges = false, seccompProfile = 'builtin', idMaps }: SystemOptions['defaults'],
): readonly string[] {
  const profile = seccompProfile === 'builtin' || seccompProfile === 'unconfined' ? seccompProfile : 'custom';
  return [
    ...(existsSync('/sys/kernel/security/apparmor') ? ['name=apparmor'] : []),
    `name=seccomp,profile=${profile}`,
    ...(idMaps === undefined ? [] : ['name=userns']),
    ...(noNewPrivileges ? ['name=no-new-privileges'] : []),
    ...(cgroupVersion === 2 ? ['name=cgroupns'] : []),
  ];
}
