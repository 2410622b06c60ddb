import type { ContainerConfig, DeviceRequest, EndpointConfig, Healthcheck, HostConfig, Resources } from '@gantry/sdk/engine';
import { invalidArgument } from '@gantry/sdk/errors';
import { usageReason } from '../command.ts';
import { toRecord } from '../parse/key-value.ts';
import type { ContainerFlags, ResourceFlags } from './flags.ts';

/** What the create operation is sent. */
export interface CreateBody extends ContainerConfig {
  readonly HostConfig: HostConfig;
  readonly NetworkingConfig: { readonly EndpointsConfig: Readonly<Record<string, EndpointConfig>> };
}

export interface Attachment {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Which streams `run` attaches: those named, else outputs, and stdin with -i. */
export function attachmentOf({ attach, interactive = false }: ContainerFlags, { detach }: { readonly detach: boolean }): Attachment {
  if (detach) return { stdin: false, stdout: false, stderr: false };
  const isNamed = (stream: 'stdin' | 'stdout' | 'stderr'): boolean => attach.length === 0 || attach.includes(stream);
  return { stdin: interactive && isNamed('stdin'), stdout: isNamed('stdout'), stderr: isNamed('stderr') };
}

/** The flags as Docker's create request. Refuses flags that contradict each other; what the engine must judge is left to it. */
export function toCreateBody(flags: ContainerFlags, image: string, command: readonly string[], attached: Attachment): CreateBody {
  checkContradictions(flags);
  return {
    Image: image,
    ...(command.length === 0 ? {} : { Cmd: command }),
    ...streams(flags, attached),
    ...processConfig(flags),
    HostConfig: hostConfig(flags),
    NetworkingConfig: { EndpointsConfig: endpoints(flags) },
  };
}

/** The limits, as create and update take them. */
export function toResources(flags: ResourceFlags): Resources {
  return present({
    Memory: flags.memory,
    MemoryReservation: flags.memoryReservation,
    MemorySwap: flags.memorySwap,
    NanoCpus: flags.cpus,
    CpuShares: flags.cpuShares,
    CpuPeriod: flags.cpuPeriod,
    CpuQuota: flags.cpuQuota,
    CpusetCpus: flags.cpusetCpus,
    CpusetMems: flags.cpusetMems,
    PidsLimit: flags.pidsLimit,
    BlkioWeight: flags.blkioWeight,
  });
}

function streams({ interactive = false, tty = false }: ContainerFlags, attached: Attachment): ContainerConfig {
  return {
    OpenStdin: interactive,
    StdinOnce: attached.stdin,
    Tty: tty,
    AttachStdin: attached.stdin,
    AttachStdout: attached.stdout,
    AttachStderr: attached.stderr,
  };
}

function processConfig(flags: ContainerFlags): ContainerConfig {
  const volumes = flags.volume.flatMap((one) => ('volume' in one ? [one.volume] : []));
  const exposed = [...flags.expose.flat(), ...flags.publish.flat().map(({ port }) => port)];
  return present({
    Hostname: flags.hostname,
    Domainname: flags.domainname,
    User: flags.user,
    WorkingDir: flags.workdir,
    Entrypoint: flags.entrypoint === undefined ? undefined : [flags.entrypoint],
    Env: [...flags.envFile, ...flags.env].flat(),
    Labels: toRecord([...flags.labelFile.flat(), ...flags.label]),
    ExposedPorts: exposed.length === 0 ? undefined : Object.fromEntries(exposed.map((port) => [port, {}])),
    Volumes: volumes.length === 0 ? undefined : Object.fromEntries(volumes.map((path) => [path, {}])),
    StopSignal: flags.stopSignal,
    StopTimeout: flags.stopTimeout,
    Healthcheck: healthcheck(flags),
    MacAddress: flags.network.length > 1 ? undefined : flags.macAddress,
  });
}

function healthcheck(flags: ContainerFlags): Healthcheck | undefined {
  if (!flags.healthcheck) return { Test: ['NONE'] };
  const check: Healthcheck = present({
    Test: flags.healthCmd === undefined ? undefined : ['CMD-SHELL', flags.healthCmd],
    Interval: flags.healthInterval,
    Timeout: flags.healthTimeout,
    StartPeriod: flags.healthStartPeriod,
    StartInterval: flags.healthStartInterval,
    Retries: flags.healthRetries,
  });
  return Object.keys(check).length === 0 ? undefined : check;
}

function hostConfig(flags: ContainerFlags): HostConfig {
  return present({
    ...toResources(flags),
    Binds: flags.volume.flatMap((one) => ('bind' in one ? [one.bind] : [])),
    Mounts: some(flags.mount),
    Tmpfs: flags.tmpfs.length === 0 ? undefined : toRecord(flags.tmpfs),
    VolumesFrom: some(flags.volumesFrom),
    VolumeDriver: flags.volumeDriver,
    ReadonlyRootfs: flags.readOnly,
    ShmSize: flags.shmSize,
    StorageOpt: flags.storageOpt.length === 0 ? undefined : toRecord(flags.storageOpt),
    NetworkMode: flags.network[0]?.name,
    PortBindings: toPortMap(flags.publish),
    PublishAllPorts: flags.publishAll,
    Links: some(flags.link),
    ExtraHosts: some(flags.addHost),
    Dns: some(flags.dns),
    DnsSearch: some(flags.dnsSearch),
    DnsOptions: some(flags.dnsOption),
    AutoRemove: flags.rm,
    RestartPolicy: flags.restart,
    ContainerIDFile: flags.cidfile,
    Annotations: flags.annotation.length === 0 ? undefined : toRecord(flags.annotation),
    LogConfig: logConfig(flags),
    Runtime: flags.runtime,
    Isolation: flags.isolation,
    Init: flags.init,
    ...confinement(flags),
  });
}

function confinement(flags: ContainerFlags): HostConfig {
  return {
    CapAdd: some(flags.capAdd) ?? null,
    CapDrop: some(flags.capDrop) ?? null,
    GroupAdd: some(flags.groupAdd) ?? null,
    ...present({
      Privileged: flags.privileged,
      ...securityOptions(flags),
      Devices: some(flags.device.filter((device) => typeof device !== 'string')),
      DeviceRequests: some(deviceRequests(flags)),
      DeviceCgroupRules: some(flags.deviceCgroupRule),
      Ulimits: some(flags.ulimit),
      Sysctls: flags.sysctl.length === 0 ? undefined : toRecord(flags.sysctl),
      OomScoreAdj: flags.oomScoreAdj,
      OomKillDisable: flags.oomKillDisable,
      MemorySwappiness: flags.memorySwappiness,
      CgroupParent: flags.cgroupParent,
      CgroupnsMode: flags.cgroupns,
      IpcMode: flags.ipc,
      PidMode: flags.pid,
      UTSMode: flags.uts,
      UsernsMode: flags.userns,
    }),
  };
}

function deviceRequests({ device, gpus }: ContainerFlags): readonly DeviceRequest[] {
  const DeviceIDs = device.filter((each) => typeof each === 'string');
  return [...gpus, ...(DeviceIDs.length === 0 ? [] : [{ Driver: 'cdi', DeviceIDs }])];
}

/** systempaths is the client's word for "mask nothing". */
function securityOptions({ securityOpt }: ContainerFlags): HostConfig {
  const isUnmasked = securityOpt.includes('systempaths=unconfined');
  const rest = securityOpt.filter((option) => option !== 'systempaths=unconfined');
  return { ...(rest.length === 0 ? {} : { SecurityOpt: rest }), ...(isUnmasked ? { MaskedPaths: [], ReadonlyPaths: [] } : {}) };
}

/** What `-p` and its like were given; nothing: undefined. */
export function toPortMap(publish: ContainerFlags['publish']): NonNullable<HostConfig['PortBindings']> | undefined {
  if (publish.length === 0) return undefined;
  const byPort = Map.groupBy(publish.flat(), ({ port }) => port);
  return Object.fromEntries([...byPort].map(([port, published]) => [port, published.map(({ binding }) => binding)]));
}

function logConfig({ logDriver, logOpt }: ContainerFlags): HostConfig['LogConfig'] | undefined {
  if (logDriver === undefined && logOpt.length === 0) return undefined;
  return { ...(logDriver === undefined ? {} : { Type: logDriver }), Config: toRecord(logOpt) };
}

/** The short flags (--ip, --network-alias, …) mean the first network. */
function endpoints(flags: ContainerFlags): Readonly<Record<string, EndpointConfig>> {
  const [first] = flags.network;
  const short = shortEndpoint(flags);
  if (first === undefined) return Object.keys(short).length === 0 ? {} : { default: short };
  return Object.fromEntries(
    flags.network.map((choice) => [choice.name, choice === first ? merge(choice.endpoint, short) : choice.endpoint]),
  );
}

function shortEndpoint(flags: ContainerFlags): EndpointConfig {
  const addresses = present({ IPv4Address: flags.ip, IPv6Address: flags.ip6, LinkLocalIPs: some(flags.linkLocalIp) });
  return present({
    IPAMConfig: Object.keys(addresses).length === 0 ? undefined : addresses,
    Aliases: some(flags.networkAlias),
    MacAddress: flags.macAddress,
  });
}

function merge(long: EndpointConfig, short: EndpointConfig): EndpointConfig {
  const clash = Object.keys(short).find((key) => key in long);
  if (clash !== undefined) throw contradiction(`the first --network says ${clash} already`);
  return { ...long, ...short };
}

function checkContradictions({ rm, restart, network, tty, attach, healthcheck: isChecked, ...flags }: ContainerFlags): void {
  if (rm === true && restart !== undefined && restart.Name !== 'no') throw contradiction('--rm and --restart contradict each other');
  if (!isChecked && flags.healthCmd !== undefined) throw contradiction('--no-healthcheck and --health-cmd contradict each other');
  if (tty === true && attach.length === 1 && attach[0] === 'stderr')
    throw contradiction('a terminal has no stderr of its own: --attach stderr and --tty');
  const names = network.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw contradiction(`network ${JSON.stringify(twice)} is named twice`);
}

function contradiction(message: string): Error {
  return invalidArgument(message, { reason: usageReason });
}

function some<T>(values: readonly T[]): readonly T[] | undefined {
  return values.length === 0 ? undefined : values;
}

/** Without the keys that have no value, so that the engine's defaults hold. */
function present<T extends object>(fields: { readonly [Key in keyof T]: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
