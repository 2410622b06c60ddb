import type { Abortable, Logger } from '@gantry/sdk';
import type { CommitContainer, ContainerConfig } from '@gantry/sdk/engine';
import type { Content } from '../content/index.ts';
import type { Drivers } from '../drivers/index.ts';
import type { EventBus } from '../events/index.ts';
import type { Layers } from '../layers/index.ts';
import type { Database } from '../metadata/index.ts';
import type { KeyedMutex } from '../support/index.ts';
import type { ImageStore } from './store.ts';

/** Who needs an image: asked of the containers' room. */
export interface ImageUsers {
  usersOf(imageId: string): readonly ImageUser[];
}
export interface ImageUser {
  readonly id: string;
  readonly running: boolean;
}

export interface ImagesOptions {
  readonly database: Database;
  readonly content: Content;
  readonly layers: Layers;
  readonly drivers: Drivers;
  readonly events: EventBus;
  /** The driver of new layers; asked when the first one needs it. */
  readonly graphDriver: () => Promise<string>;
  readonly users: () => ImageUsers;
  readonly log: Logger;
}

/** A container's changes that are to become an image. Whoever asks has paused the container if it was to be. */
export interface CommitImage extends Pick<CommitContainer, 'reference' | 'author' | 'comment' | 'changes'>, Abortable {
  readonly containerId: string;
  /** '' for a container that was made from nothing. */
  readonly imageId: string;
  /** The container's config, before the changes. */
  readonly config: ContainerConfig;
}

/** What the verbs of this room share. */
export interface Parts extends Omit<ImagesOptions, 'database'> {
  readonly store: ImageStore;
  /** Held under the key 'names' while images are named or deleted, so that one's config cannot go while the same comes again. */
  readonly locks: KeyedMutex;
}
