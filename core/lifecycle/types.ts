/** What this room needs of the others, and what they may ask of it. */
import type { Abortable, Logger } from '@gantry/sdk';
import type { ImageConfig } from '@gantry/sdk/engine';
import type { Drivers } from '../drivers/index.ts';
import type { EventBus } from '../events/index.ts';
import type { CommitImage } from '../images/types.ts';
import type { Archives, ContainerLayers, Rootfs } from '../layers/types.ts';
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
  /** By reference or id; `not_found` "No such image: x". */
  resolve(reference: string): ContainerImage;
  /** Ids of this image and of all that were built on it; none when it is unknown. */
  descendantsOf(reference: string): ReadonlySet<string>;
  /** A container was made from it, or removed; unknown: nothing. */
  used(imageId: string): void;
  /** The image's tree, read-only, until it is disposed. */
  mount(reference: string, options?: Abortable): Promise<Rootfs>;
  /** An image from the container's changes. The container is paused, if it was to be, by the caller. */
  commit(request: CommitImage): Promise<{ readonly id: string }>;
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
  /** The driver of containers that are made from no image. */
  readonly graphDriver: () => Promise<string>;
  /** Name of the exec driver of containers that ask for no other; the first that is installed when absent. */
  readonly execDriver?: () => string;
}
