/** What this room needs of the others, and what they may ask of it. */
import type { Logger } from '@gantry/sdk';
import type { HostConfig, ImageConfig } from '@gantry/sdk/engine';
import type { IdMaps } from '@gantry/sdk/linux';
import type { Drivers } from '../drivers/index.ts';
import type { EventBus } from '../events/index.ts';
import type { CommitImage } from '../images/types.ts';
import type { Archives, ContainerLayers, Rootfs, ShowOptions } from '../layers/types.ts';
import type { ContainerLogs } from '../logs/types.ts';
import type { Database } from '../metadata/index.ts';
import type { ContainerNetworks } from '../networks/types.ts';
import type { ContainerVolumes } from '../volumes/types.ts';

/** An image, as far as a container is made from it. */
export interface ContainerImage {
  readonly id: string;
  readonly config: ImageConfig;
  readonly chainIds: readonly string[];
  readonly graphDriver: string;
}
/** What this room asks of images. */
export interface ContainerImages {
  /** By reference or id, and for a platform where one is said; `not_found` "No such image: x". */
  resolve(reference: string, platform?: string): ContainerImage;
  /** Ids of what this means, for all platforms, and of all that were built on it; none when it is unknown. */
  descendantsOf(reference: string): ReadonlySet<string>;
  /** A container was made from it, or removed; unknown: nothing. */
  used(imageId: string): void;
  /** The image's tree, read-only, until it is disposed; with owners shown by maps when there are any. */
  mount(reference: string, options?: ShowOptions): Promise<Rootfs>;
  /** An image from the container's changes. The container is paused, if it was to be, by the caller. */
  commit(request: CommitImage): Promise<{ readonly id: string }>;
}

/** What containers get that leave it open. */
export interface ContainerDefaults {
  readonly shmSizeBytes?: number;
  readonly ipcMode?: 'private' | 'shareable';
  readonly cgroupnsMode?: 'private' | 'host';
  /** Above their cgroups; default /gantry. */
  readonly cgroupParent?: string;
  /** Of kinds that a container does not limit itself. */
  readonly ulimits?: NonNullable<HostConfig['Ulimits']>;
  readonly init?: boolean;
  /** The small init; default: the first that is installed. */
  readonly initPath?: string;
  readonly noNewPrivileges?: boolean;
  /** Of the user namespace that each container gets which does not ask for the machine's; absent: none gets one. */
  readonly idMaps?: IdMaps;
  /** Where devices are described, the later folder counting more; default /etc/cdi and /var/run/cdi. */
  readonly cdiFolders?: readonly string[];
  /** "builtin", "unconfined" or a profile as JSON, for containers that are not privileged; default builtin. */
  readonly seccompProfile?: string;
}

export interface LifecycleParts {
  readonly database: Database;
  readonly drivers: Drivers;
  readonly events: EventBus;
  readonly layers: ContainerLayers;
  readonly archives: Archives;
  readonly images: ContainerImages;
  readonly networks: ContainerNetworks;
  readonly volumes: ContainerVolumes;
  readonly logs: ContainerLogs;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly log: Logger;
  /** Log driver and options of containers that name none. */
  readonly defaultLog?: { readonly driver: string; readonly options: Readonly<Record<string, string>> };
  readonly defaultRuntime?: string;
  readonly defaults?: ContainerDefaults;
  /** The driver of containers that are made from no image. */
  readonly graphDriver: () => Promise<string>;
  /** Name of the exec driver of containers that ask for no other; the first that is installed when absent. */
  readonly execDriver?: () => string;
}
