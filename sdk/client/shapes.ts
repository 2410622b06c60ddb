/** Answers of Docker's Engine API 1.51, as far as clients here read them. Absent keys and null mean the same. */
import type { ContainerConfig, EndpointConfig, HostConfig, ImageConfig, IpamConfig } from '../engine/index.ts';

export interface PortAnswer {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}
export interface ContainerSummary {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
  readonly Command: string;
  /** Unix seconds. */
  readonly Created: number;
  readonly Ports: readonly PortAnswer[] | null;
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly State: string;
  readonly Status: string;
  readonly HostConfig?: { readonly NetworkMode?: string };
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, unknown>> | null } | null;
  readonly Mounts?: readonly { readonly Type?: string; readonly Name?: string; readonly Source?: string }[] | null;
}
export interface ContainerAnswer {
  readonly Id: string;
  readonly Name: string;
  readonly Created: string;
  readonly Image: string;
  readonly Config: ContainerConfig;
  readonly HostConfig: HostConfig;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Paused: boolean;
    readonly Restarting: boolean;
    readonly Pid: number;
    readonly ExitCode: number;
    readonly Error: string;
    readonly Health?: { readonly Status: string } | null;
  };
  readonly Mounts?: readonly unknown[];
  readonly NetworkSettings?: {
    readonly IPAddress?: string;
    readonly Ports?: Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>> | null;
    readonly Networks?: Readonly<Record<string, EndpointConfig & { readonly IPAddress?: string }>> | null;
  };
}
export interface ContainersPruned {
  readonly ContainersDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
export interface WaitAnswer {
  readonly StatusCode: number;
  readonly Error?: { readonly Message?: string } | null;
}
export interface TopAnswer {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[] | null;
}
export interface ChangeAnswer {
  readonly Path: string;
  /** 0 changed, 1 added, 2 deleted. */
  readonly Kind: 0 | 1 | 2;
}
interface CpuAnswer {
  readonly cpu_usage?: { readonly total_usage?: number; readonly percpu_usage?: readonly number[] | null };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}
export interface StatsAnswer {
  readonly id: string;
  readonly name: string;
  readonly read?: string;
  readonly pids_stats?: { readonly current?: number };
  readonly cpu_stats?: CpuAnswer;
  readonly precpu_stats?: CpuAnswer;
  readonly memory_stats?: { readonly usage?: number; readonly limit?: number; readonly stats?: Readonly<Record<string, number>> };
  readonly networks?: Readonly<Record<string, { readonly rx_bytes?: number; readonly tx_bytes?: number }>> | null;
  readonly blkio_stats?: { readonly io_service_bytes_recursive?: readonly { readonly op: string; readonly value: number }[] | null };
}
export interface ExecAnswer {
  readonly ID: string;
  readonly Running: boolean;
  readonly ExitCode: number | null;
  readonly Pid: number;
}
export interface ImageSummary {
  readonly Id: string;
  readonly ParentId: string;
  readonly RepoTags: readonly string[] | null;
  readonly RepoDigests: readonly string[] | null;
  readonly Created: number;
  readonly Size: number;
  readonly SharedSize?: number;
  readonly Containers?: number;
  readonly Labels?: Readonly<Record<string, string>> | null;
  /** One for each platform, where they are asked for. */
  readonly Manifests?: readonly ManifestSummary[];
}
export interface ManifestSummary {
  /** Its digest. */
  readonly ID: string;
  /** The image is there. */
  readonly Available: boolean;
  readonly Size: { readonly Content: number; readonly Total: number };
  readonly ImageData?: {
    readonly Platform: { readonly os: string; readonly architecture: string; readonly variant?: string };
    readonly Containers: readonly string[];
  };
}
export interface ImageAnswer {
  readonly Id: string;
  readonly RepoTags: readonly string[] | null;
  readonly RepoDigests: readonly string[] | null;
  readonly Created?: string;
  readonly Size: number;
  readonly Architecture: string;
  readonly Os: string;
  readonly Config?: ImageConfig['config'] | null;
}
export interface HistoryAnswer {
  readonly Id: string;
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Size: number;
  readonly Comment: string;
  readonly Tags: readonly string[] | null;
}
export interface ImageDeleted {
  readonly Untagged?: string;
  readonly Deleted?: string;
}
export interface ImagesPruned {
  readonly ImagesDeleted: readonly ImageDeleted[] | null;
  readonly SpaceReclaimed: number;
}
export interface VolumeAnswer {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly CreatedAt?: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Scope: string;
  /** Not Docker's. */
  readonly SnapshotOf?: string;
  readonly UsageData?: { readonly Size: number; readonly RefCount: number; readonly Capacity?: number } | null;
}
export interface VolumesPruned {
  readonly VolumesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
export interface NetworkAnswer {
  readonly Id: string;
  readonly Name: string;
  readonly Created: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly EnableIPv6: boolean;
  readonly Internal: boolean;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly IPAM?: IpamConfig;
}
export interface NetworksPruned {
  readonly NetworksDeleted: readonly string[] | null;
}
export interface EventAnswer {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> | null };
  readonly time: number;
  /** Since 1970. */
  readonly timeNano: bigint;
}
export interface VersionAnswer {
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion?: string;
  readonly Os: string;
  readonly Arch: string;
  readonly KernelVersion?: string;
  readonly BuildTime?: string;
  readonly GitCommit?: string;
  readonly Platform?: { readonly Name?: string };
  readonly Components?:
    | readonly { readonly Name: string; readonly Version: string; readonly Details?: Readonly<Record<string, string>> | null }[]
    | null;
}
/** Many fields; what the CLI does not name it still shows with `--format json`. */
export interface InfoAnswer {
  readonly ID?: string;
  readonly Name?: string;
  readonly ServerVersion?: string;
  readonly Containers: number;
  readonly ContainersRunning: number;
  readonly ContainersPaused: number;
  readonly ContainersStopped: number;
  readonly Images: number;
  readonly Driver: string;
  readonly DriverStatus?: readonly (readonly [string, string])[] | null;
  readonly Plugins?: Readonly<Record<string, readonly string[] | null>>;
  readonly LoggingDriver?: string;
  readonly CgroupDriver?: string;
  readonly CgroupVersion?: string;
  readonly Runtimes?: Readonly<Record<string, unknown>> | null;
  readonly DefaultRuntime?: string;
  readonly SecurityOptions?: readonly string[] | null;
  readonly KernelVersion?: string;
  readonly OperatingSystem?: string;
  readonly OSType?: string;
  readonly Architecture?: string;
  readonly NCPU?: number;
  readonly MemTotal?: number;
  readonly DockerRootDir?: string;
  readonly LiveRestoreEnabled?: boolean;
  readonly Labels?: readonly string[] | null;
  readonly Warnings?: readonly string[] | null;
}
export interface BuildsPruned {
  readonly CachesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}

export interface DiskUsageAnswer {
  readonly LayersSize?: number;
  readonly Images: readonly ImageSummary[] | null;
  readonly Containers: readonly ContainerSummary[] | null;
  readonly Volumes: readonly VolumeAnswer[] | null;
  readonly BuildCache?: readonly { readonly Size?: number; readonly InUse?: boolean }[] | null;
  readonly ImageUsage?: UsageAnswer;
  /** Gantry's own: layers as they came, and configs. */
  readonly BlobUsage?: UsageAnswer;
}
export interface UsageAnswer {
  readonly TotalCount: number;
  readonly ActiveCount?: number;
  readonly TotalSize: number;
  readonly Reclaimable: number;
}

export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly is_official: boolean;
  readonly is_automated: boolean;
}
