import { rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Abortable, conflict, type Logger, messageOf } from '@gantry/sdk';
import type { IdMaps } from '@gantry/sdk/linux';
import { isMounted } from '../execute/index.ts';
import { failpoint } from '../support/index.ts';
import type { ContainerLayers } from './types.ts';
import type { Snapshot, Views } from './views.ts';

type MountOptions = NonNullable<Parameters<ContainerLayers['mount']>[1]>;

interface Parts {
  readonly views: Views;
  readonly execRoot: string;
  /** How owners are shown; undefined: as they are. */
  readonly idMapsOf: (containerId: string) => IdMaps | undefined;
  readonly log: Logger;
  /** Of a container that is there; throws `not_found` for another. */
  readonly snapshotOf: (containerId: string) => Snapshot;
  readonly isThere: (containerId: string) => boolean;
  /** Makes a container's snapshot once more. */
  readonly prepare: (containerId: string, options: Abortable) => Promise<void>;
}

/** What is wanted of a container's mount, besides what the kernel shows. */
interface MountState {
  isWanted: boolean;
  borrowers: number;
  /** The kernel is still letting go of an earlier mount. */
  ending: Promise<void> | undefined;
}

/** The mounted roots of containers: there as long as the container wants it or somebody has borrowed it. Whoever calls holds the container's lock. */
export class ContainerRoots {
  readonly #parts: Parts;
  readonly #states = new Map<string, MountState>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Where it is mounted, if it is. */
  target(containerId: string): string {
    if (!/^[a-zA-Z0-9][\w.-]*$/.test(containerId)) throw conflict(`container id ${JSON.stringify(containerId)} is no file name`);
    return join(this.#parts.execRoot, 'containers', containerId, 'rootfs');
  }

  isMounted(containerId: string): boolean {
    return isMounted(this.target(containerId));
  }

  /** Why it shows nothing any more; undefined: it does, or is not mounted. */
  problemOf(containerId: string): string | undefined {
    return this.#parts.views.brokenAt(this.target(containerId));
  }

  /** For the container itself. */
  async mount(containerId: string, options: MountOptions): Promise<string> {
    const target = await this.#mountNow(containerId, options);
    this.#state(containerId).isWanted = true;
    return target;
  }

  async unmount(containerId: string): Promise<void> {
    const state = this.#state(containerId);
    state.isWanted = false;
    if (state.borrowers === 0) await this.#unmountNow(containerId, state);
  }

  async lend(containerId: string, options: Abortable): Promise<string> {
    const target = await this.#mountNow(containerId, options);
    this.#state(containerId).borrowers += 1;
    return target;
  }

  async takeBack(containerId: string): Promise<void> {
    const state = this.#state(containerId);
    state.borrowers -= 1;
    if (state.borrowers === 0 && !state.isWanted) await this.#unmountNow(containerId, state);
  }

  /** Whoever has borrowed it; the kernel has let go of it when this resolves. */
  async end(containerId: string): Promise<void> {
    const state = this.#state(containerId);
    state.isWanted = false;
    await this.#unmountNow(containerId, state);
    await state.ending;
    this.#states.delete(containerId);
  }

  /** Waits for mounts that are going away. */
  async settled(): Promise<void> {
    for (const { ending } of this.#states.values()) await ending;
  }

  async #mountNow(containerId: string, { ephemeral = false, signal }: MountOptions): Promise<string> {
    const { views, snapshotOf, prepare, idMapsOf } = this.#parts;
    const target = this.target(containerId);
    if (views.isShownAt(target)) return target;
    const snapshot = snapshotOf(containerId);
    const state = this.#state(containerId);
    if (isMounted(target)) await views.unmount(target);
    await state.ending;
    failpoint('rw.mount');
    const request = { attachmentId: attachmentOf(containerId), readOnly: false, view: 'merged', ephemeral, signal } as const;
    const attachment = await views.attach(snapshot, request).catch(async (error: unknown) => {
      // A power cut may take a snapshot that was never written to: it is made again.
      if (!isNotFound(error)) throw error;
      await prepare(containerId, { signal });
      return views.attach(snapshot, request);
    });
    await views.mountAt(target, attachment, { driver: snapshot.driver, idMaps: idMapsOf(containerId), signal });
    return target;
  }

  async #unmountNow(containerId: string, state: MountState): Promise<void> {
    const { views, snapshotOf, isThere, log } = this.#parts;
    const target = this.target(containerId);
    if (!isMounted(target)) return removeFolder(target);
    const ending = views.unmount(target).finally(() => {
      if (state.ending === ending) state.ending = undefined;
    });
    state.ending = ending;
    ending.catch((error: unknown) => log.warn({ container: containerId, error: messageOf(error) }, 'unmount failed'));
    removeFolder(target);
    if (isThere(containerId)) await views.detach(snapshotOf(containerId), { attachmentId: attachmentOf(containerId) });
  }

  #state(containerId: string): MountState {
    let state = this.#states.get(containerId);
    if (state === undefined) {
      state = { isWanted: false, borrowers: 0, ending: undefined };
      this.#states.set(containerId, state);
    }
    return state;
  }
}

/** The one attachment of a container's root, under the same name each time. */
export function attachmentOf(containerId: string): string {
  return `${containerId.slice(0, 12)}-0`;
}

/** The mount point and the container's folder around it. */
function removeFolder(target: string): void {
  try {
    rmdirSync(target);
    rmdirSync(dirname(target));
  } catch {
    // Gone already, or something else is in it: it stays.
  }
}

function isNotFound(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'not_found';
}
