import { rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Abortable, conflict, invalidArgument, type Logger, messageOf, notFound } from '@gantry/sdk';
import type { Change, SizeInfo } from '@gantry/sdk/engine';
import type { IdMaps } from '@gantry/sdk/linux';
import { isMounted } from '../execute/index.ts';
import type { LayerRows, RwLayerRow } from '../metadata/index.ts';
import { failpoint, KeyedMutex, undoSignal } from '../support/index.ts';
import { comparing } from './comparing.ts';
import type { ImageLayers } from './image-layers.ts';
import { InitLayers } from './init-layers.ts';
import { overlayFolders } from './overlay-folders.ts';
import { dropSizeLimit, type LimitedSnapshot, setSizeLimit } from './size-limit.ts';
import type { ContainerLayers, Rootfs } from './types.ts';
import type { Snapshot, Views } from './views.ts';
import { unpackedChanges } from './worker/change-list.ts';
import type { TreeWorkers } from './worker/pool.ts';
import type { Comparison } from './worker/protocol.ts';

interface Parts {
  readonly rows: LayerRows;
  readonly images: ImageLayers;
  readonly views: Views;
  readonly workers: TreeWorkers;
  readonly execRoot: string;
  /** How owners are shown in a container's root; undefined: as they are. */
  readonly idMapsOf: (containerId: string) => IdMaps | undefined;
  readonly log: Logger;
}

export interface DiffOptions extends Abortable {
  /** Nothing is said to be younger, in seconds since 1970. */
  readonly latestSeconds?: number | undefined;
  /** Places that were made for mounts, which are left out while they hold nothing. */
  readonly mountPoints?: readonly string[] | undefined;
}

/** What is wanted of a container's mount, besides what the kernel shows. */
interface MountState {
  isWanted: boolean;
  borrowers: number;
  /** The kernel is still letting go of an earlier mount. */
  ending: Promise<void> | undefined;
}

/** The writable layers of containers, over an init layer that all containers of an image share. */
export class ContainerTrees implements ContainerLayers {
  readonly #parts: Parts;
  readonly #rows: Map<string, RwLayerRow>;
  readonly #inits: InitLayers;
  readonly #mounts = new Map<string, MountState>();
  readonly #graphData = new Map<string, Readonly<Record<string, string>>>();
  readonly #mutex = new KeyedMutex();
  /** Keys of snapshots whose rows are still to come. */
  readonly #making = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#rows = new Map(parts.rows.rwLayers().map((row) => [row.containerId, row]));
    this.#inits = new InitLayers(parts);
  }

  /** The rows, for whoever counts references. */
  all(): readonly RwLayerRow[] {
    return [...this.#rows.values()];
  }

  async create(containerId: string, options: Parameters<ContainerLayers['create']>[1]): Promise<void> {
    using _held = await this.#mutex.acquire(containerId, options);
    if (this.#rows.has(containerId)) return;
    const { views } = this.#parts;
    const { graphDriver: driver, chainIds, quotaBytes = 0 } = options;
    const topChain = chainIds.at(-1) ?? '';
    const graph = await views.driver(driver);
    if (quotaBytes > 0 && !graph.features.includes('quota'))
      throw invalidArgument(`--storage-opt size is not supported by storage driver ${driver}`, {
        hint: 'drivers with the feature quota can: overlay2 on xfs mounted with pquota or ext4 mounted with prjquota, btrfs, zfs',
      });
    const initKey = await this.#inits.of(topChain, driver, options);
    const row: RwLayerRow = { containerId, driver, key: containerId, initKey, topChain, quotaBytes };
    failpoint('rw.layer');
    using _making = this.#make(row.key);
    await this.#prepare(row, options);
    this.#parts.rows.addRwLayer(row);
    this.#rows.set(containerId, row);
    if (quotaBytes > 0) await setSizeLimit(this.#parts.views, this.#limited(row), options);
  }

  async mount(containerId: string, options: Parameters<ContainerLayers['mount']>[1] = {}): Promise<string> {
    using _held = await this.#mutex.acquire(containerId, options);
    const row = this.#row(containerId);
    await this.#mountNow(row, options);
    this.#state(containerId).isWanted = true;
    return this.#target(containerId);
  }

  async unmount(containerId: string): Promise<void> {
    using _held = await this.#mutex.acquire(containerId);
    const state = this.#state(containerId);
    state.isWanted = false;
    if (state.borrowers === 0) await this.#unmountNow(containerId, state);
  }

  brokenRoot(containerId: string): string | undefined {
    return this.#parts.views.brokenAt(this.#target(containerId));
  }

  async remove(containerId: string): Promise<void> {
    using _held = await this.#mutex.acquire(containerId);
    const state = this.#state(containerId);
    state.isWanted = false;
    await this.#unmountNow(containerId, state);
    await state.ending;
    this.#mounts.delete(containerId);
    const row = this.#rows.get(containerId);
    if (row === undefined) return;
    failpoint('rw.rename');
    if (row.quotaBytes > 0) await this.#dropLimit(row);
    await (await this.#parts.views.driver(row.driver)).remove({ key: row.key }, this.#parts.views.context(undoSignal(60_000)));
    this.#parts.rows.removeRwLayer(containerId);
    this.#rows.delete(containerId);
    this.#graphData.delete(containerId);
    if (!this.#parts.rows.isImageTop(row.topChain)) await this.#parts.images.releaseUnused();
  }

  async borrow(containerId: string, options: Abortable = {}): Promise<Rootfs> {
    using _held = await this.#mutex.acquire(containerId, options);
    await this.#mountNow(this.#row(containerId), options);
    const state = this.#state(containerId);
    state.borrowers += 1;
    let isHeld = true;
    return {
      path: this.#target(containerId),
      [Symbol.asyncDispose]: async () => {
        if (!isHeld) return;
        isHeld = false;
        using _again = await this.#mutex.acquire(containerId);
        state.borrowers -= 1;
        if (state.borrowers === 0 && !state.isWanted) await this.#unmountNow(containerId, state);
      },
    };
  }

  async changes(containerId: string, options: Abortable = {}): Promise<readonly Change[]> {
    const { workers } = this.#parts;
    return unpackedChanges(await this.#comparing(containerId, options, (comparison) => workers.run('changes', { comparison }, options)));
  }

  async size(containerId: string, options: Abortable = {}): Promise<SizeInfo> {
    const rw = await this.#comparing(containerId, options, (comparison) => this.#parts.workers.run('size', { comparison }, options));
    const image = this.#parts.images.rowsOf(this.#row(containerId).topChain);
    return { rw, rootFs: image.reduce((sum, { sizeBytes }) => sum + sizeBytes, rw) };
  }

  /** Writes a tar of what the container changed into an open file. */
  async diff(
    containerId: string,
    fd: number,
    { signal, ...rules }: DiffOptions = {},
  ): Promise<{ readonly digest: string; readonly tarBytes: number }> {
    const run = (comparison: Comparison) => this.#parts.workers.run('diff', { comparison, fd, ...rules }, { signal });
    return this.#comparing(containerId, { signal }, run);
  }

  describe(containerId: string): { readonly graphDriver: string; readonly graphData: Readonly<Record<string, string>> } {
    const row = this.#row(containerId);
    return { graphDriver: row.driver, graphData: this.#graphData.get(containerId) ?? this.#overlayData(row) };
  }

  /** Chains of containers whose root the kernel has mounted, with all that is below them. */
  mountedChains(): ReadonlySet<string> {
    const mounted = this.all().filter(({ containerId, topChain }) => topChain !== '' && isMounted(this.#target(containerId)));
    return new Set(mounted.flatMap(({ topChain }) => this.#parts.images.rowsOf(topChain).map(({ chainId }) => chainId)));
  }

  /** Containers whose mounted root stands on this layer. */
  usersOf(chainId: string): readonly string[] {
    const stands = ({ topChain }: RwLayerRow): boolean =>
      topChain !== '' && this.#parts.images.rowsOf(topChain).some((row) => row.chainId === chainId);
    return this.all().flatMap((row) => (isMounted(this.#target(row.containerId)) && stands(row) ? [row.containerId] : []));
  }

  topChain(containerId: string): string {
    return this.#row(containerId).topChain;
  }

  /** Whose root is mounted there. */
  containerAt(target: string): string | undefined {
    return this.all().find(({ containerId }) => this.#target(containerId) === target)?.containerId;
  }

  /** Waits for mounts that are going away. */
  async settled(): Promise<void> {
    for (const { ending } of this.#mounts.values()) await ending;
  }

  async #mountNow(row: RwLayerRow, { ephemeral = false, signal }: Parameters<ContainerLayers['mount']>[1] = {}): Promise<void> {
    const target = this.#target(row.containerId);
    if (this.#parts.views.isShownAt(target)) return;
    const state = this.#state(row.containerId);
    if (isMounted(target)) await this.#parts.views.unmount(target);
    await state.ending;
    failpoint('rw.mount');
    const snapshot = this.#snapshot(row);
    const attachmentId = attachmentOf(row);
    const request = { attachmentId, readOnly: false, view: 'merged', ephemeral, signal } as const;
    const attachment = await this.#parts.views.attach(snapshot, request).catch(async (error: unknown) => {
      // A power cut may take a snapshot that was never written to: it is made again.
      if (!isNotFound(error)) throw error;
      await this.#prepare(row, { signal });
      return this.#parts.views.attach(snapshot, request);
    });
    const idMaps = this.#parts.idMapsOf(row.containerId);
    await this.#parts.views.mountAt(target, attachment, { driver: row.driver, idMaps, signal });
  }

  async #prepare(row: RwLayerRow, { signal }: Abortable): Promise<void> {
    const { key, driver, quotaBytes } = row;
    const request = { key, chain: this.#chain(row), ...(quotaBytes > 0 ? { quotaBytes } : {}) };
    await (await this.#parts.views.driver(driver)).prepare(request, this.#parts.views.context(signal));
  }

  /** A number that stays taken, and that nothing carries any more, does no harm. */
  async #dropLimit(row: RwLayerRow): Promise<void> {
    try {
      await dropSizeLimit(this.#parts.views, this.#limited(row));
    } catch (error) {
      this.#parts.log.debug({ container: row.containerId, error: messageOf(error) }, 'the size limit was not taken back');
    }
  }

  #limited(row: RwLayerRow): LimitedSnapshot {
    return { ...this.#snapshot(row), attachmentId: attachmentOf(row), quotaBytes: row.quotaBytes };
  }

  async #unmountNow(containerId: string, state: MountState): Promise<void> {
    const target = this.#target(containerId);
    if (!isMounted(target)) return removeFolder(target);
    const row = this.#rows.get(containerId);
    const ending = this.#parts.views.unmount(target).finally(() => {
      if (state.ending === ending) state.ending = undefined;
    });
    state.ending = ending;
    ending.catch((error: unknown) => this.#parts.log.warn({ container: containerId, error: messageOf(error) }, 'unmount failed'));
    removeFolder(target);
    if (row !== undefined) await this.#parts.views.detach(this.#snapshot(row), { attachmentId: attachmentOf(row) });
  }

  /** Whether a running operation made this snapshot. */
  isMaking(key: string): boolean {
    return this.#making.has(key) || this.#inits.isMaking(key);
  }

  #make(key: string): Disposable {
    this.#making.add(key);
    return { [Symbol.dispose]: () => this.#making.delete(key) };
  }

  /** Forgets init layers of images that are gone. */
  forgetInits(): void {
    this.#inits.forget();
  }

  #comparing<T>(containerId: string, options: Abortable, work: (comparison: Comparison) => Promise<T>): Promise<T> {
    // What is below shows owners as they are on the disk.
    const isMapped = this.#parts.idMapsOf(containerId) !== undefined;
    const whole = isMapped ? {} : { whole: () => this.borrow(containerId, options) };
    return comparing(this.#parts.views, this.#snapshot(this.#row(containerId)), { ...options, ...whole }, work);
  }

  #overlayData(row: RwLayerRow): Readonly<Record<string, string>> {
    void this.#describeLater(row);
    return this.#graphData.get(row.containerId) ?? {};
  }

  /** Docker's names for an overlay's folders, from what the driver describes. */
  async #describeLater(row: RwLayerRow): Promise<void> {
    try {
      const attachment = await this.#parts.views.attach(this.#snapshot(row), {
        attachmentId: attachmentOf(row),
        readOnly: false,
        view: 'merged',
      });
      const data = overlayFolders(attachment.mounts, this.#parts.views.dataDir(row.driver), this.#target(row.containerId));
      if (this.#rows.has(row.containerId)) this.#graphData.set(row.containerId, data);
    } catch (error) {
      this.#parts.log.debug({ container: row.containerId, error: messageOf(error) }, 'graph driver does not describe the layer');
    }
  }

  #snapshot(row: RwLayerRow): Snapshot {
    return { driver: row.driver, key: row.key, chain: this.#chain(row) };
  }

  #chain({ initKey, topChain }: RwLayerRow): readonly string[] {
    return [initKey, ...this.#parts.images.keysOf(topChain)];
  }

  #row(containerId: string): RwLayerRow {
    const row = this.#rows.get(containerId);
    if (row === undefined) throw notFound(`container ${containerId} has no writable layer`);
    return row;
  }

  #state(containerId: string): MountState {
    let state = this.#mounts.get(containerId);
    if (state === undefined) {
      state = { isWanted: false, borrowers: 0, ending: undefined };
      this.#mounts.set(containerId, state);
    }
    return state;
  }

  #target(containerId: string): string {
    if (!/^[a-zA-Z0-9][\w.-]*$/.test(containerId)) throw conflict(`container id ${JSON.stringify(containerId)} is no file name`);
    return join(this.#parts.execRoot, 'containers', containerId, 'rootfs');
  }
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

function attachmentOf({ containerId }: RwLayerRow): string {
  return `${containerId.slice(0, 12)}-0`;
}

function isNotFound(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'not_found';
}
