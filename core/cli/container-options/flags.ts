import type { DeviceRequest, MountSpec, RestartPolicy } from '@gantry/sdk/engine';
import type { Device } from '../parse/device.ts';
import type { NetworkChoice } from '../parse/network.ts';
import type { PublishedPort } from '../parse/port.ts';
import type { Ulimit } from '../parse/ulimit.ts';

type Pair = readonly [key: string, value: string];

/** Limits that can be changed later too. Sizes in bytes. */
export interface ResourceFlags {
  readonly memory?: number;
  readonly memoryReservation?: number;
  readonly memorySwap?: number;
  readonly cpus?: number;
  readonly cpuShares?: number;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pidsLimit?: number;
  readonly blkioWeight?: number;
  readonly restart?: RestartPolicy;
}

/** What `run` and `create` understand. */
export interface ContainerFlags extends ResourceFlags {
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly attach: readonly ('stdin' | 'stdout' | 'stderr')[];
  readonly rm?: boolean;
  readonly name?: string;
  readonly platform?: string;
  readonly pull: 'always' | 'missing' | 'never';
  readonly quiet?: boolean;
  readonly cidfile?: string;

  readonly env: readonly (readonly string[])[];
  readonly envFile: readonly (readonly string[])[];
  readonly label: readonly Pair[];
  readonly labelFile: readonly (readonly Pair[])[];
  readonly annotation: readonly Pair[];
  readonly entrypoint?: string;
  readonly workdir?: string;
  readonly user?: string;
  readonly groupAdd: readonly string[];
  readonly init?: boolean;
  readonly stopSignal?: string;
  readonly stopTimeout?: number;

  readonly healthCmd?: string;
  readonly healthInterval?: number;
  readonly healthTimeout?: number;
  readonly healthStartPeriod?: number;
  readonly healthStartInterval?: number;
  readonly healthRetries?: number;
  /** False with --no-healthcheck. */
  readonly healthcheck: boolean;

  readonly volume: readonly ({ readonly bind: string } | { readonly volume: string })[];
  readonly mount: readonly MountSpec[];
  readonly tmpfs: readonly Pair[];
  readonly volumesFrom: readonly string[];
  readonly volumeDriver?: string;
  readonly readOnly?: boolean;
  readonly shmSize?: number;
  readonly storageOpt: readonly Pair[];

  readonly network: readonly NetworkChoice[];
  readonly networkAlias: readonly string[];
  readonly ip?: string;
  readonly ip6?: string;
  readonly linkLocalIp: readonly string[];
  readonly macAddress?: string;
  readonly link: readonly string[];
  readonly publish: readonly (readonly PublishedPort[])[];
  readonly publishAll?: boolean;
  readonly expose: readonly (readonly string[])[];
  readonly hostname?: string;
  readonly domainname?: string;
  readonly addHost: readonly string[];
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOption: readonly string[];

  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged?: boolean;
  readonly securityOpt: readonly string[];
  /** Texts are names of described ones. */
  readonly device: readonly (Device | string)[];
  readonly gpus: readonly DeviceRequest[];
  readonly deviceCgroupRule: readonly string[];
  readonly ulimit: readonly Ulimit[];
  readonly sysctl: readonly Pair[];
  readonly oomScoreAdj?: number;
  readonly oomKillDisable?: boolean;
  readonly memorySwappiness?: number;
  readonly cgroupParent?: string;
  readonly cgroupns?: 'host' | 'private';
  readonly ipc?: string;
  readonly pid?: string;
  readonly uts?: string;
  readonly userns?: string;
  readonly runtime?: string;
  readonly isolation?: string;

  readonly logDriver?: string;
  readonly logOpt: readonly Pair[];
}
