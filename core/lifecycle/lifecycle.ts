import { messageOf } from '@gantry/sdk';
import type { Containers, Execs } from '@gantry/sdk/engine';
import type { IdMaps } from '@gantry/sdk/linux';
import type { ImageUsers } from '../images/types.ts';
import type { NetworkUsers } from '../networks/types.ts';
import type { VolumeUsers } from '../volumes/types.ts';
import { LiveContainers } from './containers.ts';
import { ContainerExecs } from './execs.ts';
import { recover } from './recover/recover.ts';
import { Room } from './room.ts';
import { rootfsBroke, volumeUsers } from './stop/broken.ts';
import type { LifecycleParts } from './types.ts';
import { idMapsOf } from './user-namespace.ts';
import { imageUsers, networkUsers } from './users.ts';
import { checkContainerDefaults } from './validate/index.ts';

/** The room's door: containers and execs for front ends, and what other rooms may ask of them. Dispose leaves every container running. */
export class Lifecycle implements AsyncDisposable {
  readonly containers: Containers;
  readonly execs: Execs;
  readonly networkUsers: NetworkUsers;
  readonly imageUsers: ImageUsers;
  readonly volumeUsers: VolumeUsers;
  readonly #room: Room;
  #recovered: Promise<void> = Promise.resolve();

  constructor(parts: LifecycleParts) {
    checkContainerDefaults(parts.defaults ?? {});
    this.#room = new Room(parts);
    this.containers = new LiveContainers(this.#room);
    this.execs = new ContainerExecs(this.#room);
    this.networkUsers = networkUsers(this.#room);
    this.imageUsers = imageUsers(this.#room);
    this.volumeUsers = volumeUsers(this.#room);
  }

  /** Reads the records, so that everything can be listed at once, and begins to take over what runs. Resolves when everything that ran before is taken over or brought to its end. */
  start(): Promise<void> {
    this.#room.store.load();
    this.#recovered = recover(this.#room).catch((error: unknown) => {
      this.#room.parts.log.error({ err: error }, `recovery failed: ${messageOf(error)}`);
    });
    return this.#recovered;
  }

  /** The mount of its root shows nothing any more. */
  rootfsBroke(containerId: string, reason: string): void {
    rootfsBroke(this.#room, containerId, reason);
  }

  /** How owners are shown in a container's root; undefined: as they are on the disk, or it is still being made. */
  idMapsOf(containerId: string): IdMaps | undefined {
    return this.#room.store.has(containerId) ? idMapsOf(this.#room, this.#room.store.find(containerId)) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#recovered;
    this.#room.close();
    for (const entry of this.#room.store.all()) {
      clearTimeout(entry.restartTimer);
      entry.health?.[Symbol.dispose]();
    }
  }
}
