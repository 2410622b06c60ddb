import { unauthorized } from '@gantry/sdk';
import type { Engine, System } from '@gantry/sdk/engine';
import { EventBus } from '../../../../core/events/index.ts';
import { MemoryBuilds } from './builds.ts';
import { MemoryContainers } from './containers.ts';
import { MemoryExecs } from './execs.ts';
import { MemoryImages } from './images.ts';
import { MemoryNetworks, MemoryVolumes } from './objects.ts';
import { MemoryPlugins } from './plugins.ts';

export interface MemoryEngine extends Engine {
  readonly containers: MemoryContainers;
  readonly images: MemoryImages;
  readonly plugins: MemoryPlugins;
  readonly events: EventBus;
}

/** A whole engine without a kernel: for testing what stands before an engine. It has the image busybox:latest and programs of its own. */
export function memoryEngine(): MemoryEngine {
  const events = new EventBus();
  const images = new MemoryImages(events);
  const containers = new MemoryContainers(events, images);
  const volumes = new MemoryVolumes();
  return {
    containers,
    execs: new MemoryExecs(containers),
    images,
    volumes,
    networks: new MemoryNetworks(),
    builds: new MemoryBuilds(),
    events,
    plugins: new MemoryPlugins(events),
    registries: { login: async ({ password }) => void (password === 'wrong' && refuse()), search: async () => [] },
    system: {
      info: async () => info(containers),
      version: async () => ({ version: '0.1.0', components: [{ name: 'none', version: '1' }], kernelVersion: '6.0', buildTime: '' }),
      actions: () => [],
      check: async () => ({ checked: { blobs: 0, layers: 0, graphDrivers: 0, volumes: 0 }, findings: [] }),
      diskUsage: async () => ({
        layersSizeBytes: 4_711,
        layersReclaimableBytes: 11,
        blobs: { count: 2, sizeBytes: 815, reclaimableBytes: 15 },
        images: await images.list({}),
        containers: await containers.sizes(containers.list({ all: true })),
        volumes: (await volumes.list({})).volumes.map((volume) => ({ ...volume, usage: { sizeBytes: 5, refCount: 0 } })),
      }),
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

function refuse(): never {
  throw unauthorized('registry memory does not accept the credentials');
}

function info(containers: MemoryContainers): Awaited<ReturnType<System['info']>> {
  const all = containers.list({ all: true });
  const count = (status: string) => all.filter(({ state }) => state.status === status).length;
  return {
    id: 'memory',
    name: 'memory',
    version: '0.1.0',
    dataRoot: '/nowhere',
    execRoot: '/nowhere',
    containers: { total: all.length, running: count('running'), paused: count('paused'), stopped: count('exited') + count('created') },
    images: 1,
    graphDriver: 'memory',
    graphStatus: [['Backing', 'nothing']],
    drivers: { volume: ['local'], network: ['bridge'], log: ['json-file'], graph: ['memory'], ipam: ['default'], exec: ['memory'] },
    runtimes: [{ name: 'memory', path: '/nowhere/memory', version: '1' }],
    defaultRuntime: 'memory',
    cgroupVersion: 2,
    cgroupDriver: 'cgroupfs',
    limits: {
      memory: true,
      swap: true,
      cpuPeriod: true,
      cpuQuota: true,
      cpuShares: true,
      cpuset: true,
      pids: true,
      oomKillDisable: false,
    },
    cdiFolders: [],
    forwardsIpv4: true,
    authorizationPlugins: [],
    debug: false,
    addressPools: [],
    loggingDriver: 'json-file',
    securityOptions: ['name=seccomp,profile=builtin'],
    warnings: [],
    labels: [],
    kernelVersion: '6.0',
    operatingSystem: 'memory',
    osVersion: '1',
    architecture: 'x86_64',
    cpus: 2,
    memoryBytes: 2 ** 31,
    eventListeners: 0,
    liveRestore: false,
    registries: { insecure: [], mirrors: [], proxies: {} },
  };
}
