import { readFileSync } from 'node:fs';
import type { SystemInfo } from '@gantry/sdk/engine';

/** GET /info. */
export function infoDocument(info: SystemInfo) {
  const { containers, drivers, cgroupVersion } = info;
  return {
    ID: info.id,
    Containers: containers.total,
    ContainersRunning: containers.running,
    ContainersPaused: containers.paused,
    ContainersStopped: containers.stopped,
    Images: info.images,
    Driver: info.graphDriver,
    DriverStatus: info.graphStatus,
    Plugins: { Volume: drivers.volume, Network: drivers.network, Authorization: null, Log: drivers.log },
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: isForwarding(),
    Debug: false,
    NFd: 0,
    OomKillDisable: cgroupVersion === 1,
    NGoroutines: 0,
    SystemTime: new Date().toISOString(),
    LoggingDriver: info.loggingDriver,
    CgroupDriver: info.cgroupDriver,
    CgroupVersion: String(cgroupVersion),
    NEventsListener: info.eventListeners,
    KernelVersion: info.kernelVersion,
    OperatingSystem: info.operatingSystem,
    OSVersion: info.osVersion,
    OSType: 'linux',
    Architecture: info.architecture,
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: registryConfig(info.registries),
    NCPU: info.cpus,
    MemTotal: info.memoryBytes,
    GenericResources: null,
    DockerRootDir: info.dataRoot,
    HttpProxy: withoutPassword(info.registries.proxies.http),
    HttpsProxy: withoutPassword(info.registries.proxies.https),
    NoProxy: info.registries.proxies.none ?? '',
    Name: info.name,
    Labels: info.labels,
    ExperimentalBuild: false,
    ServerVersion: info.version,
    Runtimes: Object.fromEntries(info.runtimes.map(({ name, path }) => [name, { path }])),
    DefaultRuntime: info.defaultRuntime,
    Swarm: { NodeID: '', NodeAddr: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '', RemoteManagers: null },
    LiveRestoreEnabled: info.liveRestore,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: info.runtimes.find(({ name }) => name === info.defaultRuntime)?.version ?? '' },
    InitCommit: { ID: '' },
    SecurityOptions: info.securityOptions,
    CDISpecDirs: [],
    Warnings: info.warnings.length === 0 ? null : info.warnings,
  };
}

const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** "amd64" where node says "x64". */
export function goArchitecture(): string {
  return goArchitectures[process.arch] ?? process.arch;
}

/** As Docker shows it: that there are credentials, not which. */
function withoutPassword(url = ''): string {
  return url.replace(/\/\/[^/@]*@/, '//xxxxx:xxxxx@');
}

function registryConfig({ insecure, mirrors }: SystemInfo['registries']) {
  const isNetwork = (registry: string): boolean => registry.includes('/');
  const index = (Name: string, Secure: boolean, Mirrors: readonly string[], Official: boolean) => ({ Name, Mirrors, Secure, Official });
  const hosts = insecure.filter((registry) => !isNetwork(registry)).map((registry) => [registry, index(registry, false, [], false)]);
  return {
    InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8', ...insecure.filter(isNetwork)],
    IndexConfigs: Object.fromEntries([['docker.io', index('docker.io', true, mirrors, true)], ...hosts]),
    Mirrors: mirrors,
  };
}

function isForwarding(): boolean {
  try {
    return readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1';
  } catch {
    return false;
  }
}
