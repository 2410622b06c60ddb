import { empty, flag, integer, list, map, nullable, object, pair, text, withZeros, word } from '../http/shape.ts';

const healthcheck = object('Healthcheck', {
  Test: list(text),
  Interval: integer,
  Timeout: integer,
  Retries: integer,
  StartPeriod: integer,
  StartInterval: integer,
});

const configFields = {
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: map(empty),
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: list(text),
  Cmd: list(text),
  Healthcheck: healthcheck,
  ArgsEscaped: flag,
  Image: text,
  Volumes: map(empty),
  WorkingDir: text,
  Entrypoint: list(text),
  NetworkDisabled: flag,
  MacAddress: text,
  OnBuild: list(text),
  Labels: map(text),
  StopSignal: text,
  StopTimeout: integer,
  Shell: list(text),
};

const portMap = map(nullable(list(object('PortBinding', { HostIp: text, HostPort: text }))));

const mountFields = object('Mount', {
  Type: word<'bind' | 'volume' | 'tmpfs' | 'image'>(),
  Source: text,
  Target: text,
  ReadOnly: flag,
  Consistency: text,
  IdMap: text,
  BindOptions: object('BindOptions', {
    Propagation: text,
    NonRecursive: flag,
    CreateMountpoint: flag,
    ReadOnlyNonRecursive: flag,
    ReadOnlyForceRecursive: flag,
  }),
  VolumeOptions: object('VolumeOptions', {
    NoCopy: flag,
    Labels: map(text),
    Subpath: text,
    DriverConfig: object('Driver', { Name: text, Options: map(text) }),
  }),
  TmpfsOptions: object('TmpfsOptions', { SizeBytes: integer, Mode: integer, Options: list(list(text)) }),
  ImageOptions: object('ImageOptions', { Subpath: text }),
});
const mount = withZeros(mountFields, { Type: 'volume', Target: '' });

const restartPolicy = object('RestartPolicy', {
  Name: word<'' | 'no' | 'always' | 'unless-stopped' | 'on-failure'>(),
  MaximumRetryCount: integer,
});
const throttle = list(withZeros(object('ThrottleDevice', { Path: text, Rate: integer }), { Path: '', Rate: 0 }));
const device = object('DeviceMapping', { PathOnHost: text, PathInContainer: text, CgroupPermissions: text });

const deviceRequest = object('DeviceRequest', {
  Driver: text,
  Count: integer,
  DeviceIDs: list(text),
  Capabilities: list(list(text)),
  Options: map(text),
});

const resourceFields = {
  CpuShares: integer,
  Memory: integer,
  NanoCpus: integer,
  CgroupParent: text,
  BlkioWeight: integer,
  BlkioWeightDevice: list(withZeros(object('WeightDevice', { Path: text, Weight: integer }), { Path: '', Weight: 0 })),
  BlkioDeviceReadBps: throttle,
  BlkioDeviceWriteBps: throttle,
  BlkioDeviceReadIOps: throttle,
  BlkioDeviceWriteIOps: throttle,
  CpuPeriod: integer,
  CpuQuota: integer,
  CpuRealtimePeriod: integer,
  CpuRealtimeRuntime: integer,
  CpusetCpus: text,
  CpusetMems: text,
  Devices: list(withZeros(device, { PathOnHost: '', PathInContainer: '', CgroupPermissions: '' })),
  DeviceCgroupRules: list(text),
  DeviceRequests: list(deviceRequest),
  MemoryReservation: integer,
  MemorySwap: integer,
  MemorySwappiness: integer,
  OomKillDisable: flag,
  PidsLimit: integer,
  Ulimits: list(withZeros(object('Ulimit', { Name: text, Soft: integer, Hard: integer }), { Name: '', Soft: 0, Hard: 0 })),
};

const hostConfig = object('HostConfig', {
  ...resourceFields,
  Binds: list(text),
  ContainerIDFile: text,
  LogConfig: object('LogConfig', { Type: text, Config: map(text) }),
  NetworkMode: text,
  PortBindings: portMap,
  RestartPolicy: restartPolicy,
  AutoRemove: flag,
  VolumeDriver: text,
  VolumesFrom: list(text),
  ConsoleSize: pair(integer),
  Annotations: map(text),
  CapAdd: list(text),
  CapDrop: list(text),
  CgroupnsMode: word<'' | 'host' | 'private'>(),
  Dns: list(text),
  DnsOptions: list(text),
  DnsSearch: list(text),
  ExtraHosts: list(text),
  GroupAdd: list(text),
  IpcMode: text,
  Cgroup: text,
  Links: list(text),
  OomScoreAdj: integer,
  PidMode: text,
  Privileged: flag,
  PublishAllPorts: flag,
  ReadonlyRootfs: flag,
  SecurityOpt: list(text),
  StorageOpt: map(text),
  Tmpfs: map(text),
  UTSMode: text,
  UsernsMode: text,
  ShmSize: integer,
  Sysctls: map(text),
  Runtime: text,
  Isolation: text,
  Mounts: list(mount),
  MaskedPaths: list(text),
  ReadonlyPaths: list(text),
  Init: flag,
});

/** A container's wishes for one network. */
export const endpoint = object('EndpointSettings', {
  IPAMConfig: object('EndpointIPAMConfig', { IPv4Address: text, IPv6Address: text, LinkLocalIPs: list(text) }),
  Links: list(text),
  Aliases: list(text),
  MacAddress: text,
  DriverOpts: map(text),
  GwPriority: integer,
});

export const configNames: ReadonlySet<string> = new Set(Object.keys(configFields));
export const containerConfig = object('Config', configFields);
export const createContainer = object('CreateRequest', {
  ...configFields,
  HostConfig: hostConfig,
  NetworkingConfig: object('NetworkingConfig', { EndpointsConfig: map(nullable(endpoint)) }),
});
export const updateContainer = object('UpdateConfig', {
  ...resourceFields,
  RestartPolicy: restartPolicy,
  PublishAdd: portMap,
  PublishRemove: portMap,
});

export const createExec = object('ExecOptions', {
  User: text,
  Privileged: flag,
  Tty: flag,
  ConsoleSize: pair(integer),
  AttachStdin: flag,
  AttachStderr: flag,
  AttachStdout: flag,
  DetachKeys: text,
  Env: list(text),
  WorkingDir: text,
  Cmd: list(text),
});
export const startExec = object('ExecStartOptions', { Detach: flag, Tty: flag, ConsoleSize: pair(integer) });
