import { readdirSync } from 'node:fs';
import type { SystemInfo } from '@gantry/sdk/engine';

/** GET /info. */
export function infoDocument(info: SystemInfo, version: number) {
  const { containers, drivers, limits, cgroupVersion, authorizationPlugins, addressPools } = info;
  return {
    ID: info.id,
    Containers: containers.total,
    ContainersRunning: containers.running,
    ContainersPaused: containers.paused,
    ContainersStopped: containers.stopped,
    Images: info.images,
    Driver: info.graphDriver,
    DriverStatus: info.graphStatus,
    Plugins: {
      Volume: drivers.volume,
      Network: drivers.network,
      Authorization: authorizationPlugins.length === 0 ? null : authorizationPlugins,
      Log: drivers.log,
    },
    MemoryLimit: limits.memory,
    SwapLimit: limits.swap,
    CpuCfsPeriod: limits.cpuPeriod,
    CpuCfsQuota: limits.cpuQuota,
    CPUShares: limits.cpuShares,
    CPUSet: limits.cpuset,
    PidsLimit: limits.pids,
    IPv4Forwarding: info.forwardsIpv4,
    Debug: info.debug,
    NFd: readdirSync('/proc/self/fd').length,
    OomKillDisable: limits.oomKillDisable,
    NGoroutines: process.getActiveResourcesInfo().length,
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
    SecurityOptions: version < 25 ? info.securityOptions.map(bareName) : info.securityOptions,
    ...(version >= 44 ? { CDISpecDirs: info.cdiFolders } : {}),
    ...(addressPools.length > 0 ? { DefaultAddressPools: addressPools.map(({ base, size }) => ({ Base: base, Size: size })) } : {}),
    ...(version >= 49 ? { FirewallBackend: { Driver: 'nftables' } } : {}),
    Warnings: info.warnings.length === 0 ? null : info.warnings,
  };
}

/** Until 1.24 options had names and no properties. */
const bareName = (option: string): string => /^name=([^,]*)/.exec(option)?.[1] ?? option;

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
