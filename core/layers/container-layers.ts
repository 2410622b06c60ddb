import { type Abortable, invalidArgument, type Logger, messageOf, notFound } from '@gantry/sdk';
import type { Change, SizeInfo } from '@gantry/sdk/engine';
import type { IdMaps } from '@gantry/sdk/linux';
import type { LayerRows, RwLayerRow } from '../metadata/index.ts';
import { failpoint, KeyedMutex, undoSignal } from '../support/index.ts';
import { comparing, type ComparingOptions } from './comparing.ts';
import { attachmentOf, ContainerRoots } from './container-roots.ts';
import { GraphData } from './graph-data.ts';
import type { ImageLayers } from './image-layers.ts';
import { InitLayers } from './init-layers.ts';
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

/** The writable layers of containers, over an init layer that all containers of an image share. */
export class ContainerTrees implements ContainerLayers {
  readonly #parts: Parts;
  readonly #rows: Map<string, RwLayerRow>;
  readonly #inits: InitLayers;
  readonly #roots: ContainerRoots;
  readonly #graphData: GraphData;
  readonly #mutex = new KeyedMutex();
  /** Keys of snapshots whose rows are still to come. */
  readonly #making = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#rows = new Map(parts.rows.rwLayers().map((row) => [row.containerId, row]));
    this.#inits = new InitLayers(parts);
    this.#roots = new ContainerRoots({
      ...parts,
      snapshotOf: (containerId) => this.#snapshot(this.#row(containerId)),
      isThere: (containerId) => this.#rows.has(containerId),
      prepare: (containerId, options) => this.#prepare(this.#row(containerId), options),
    });
    this.#graphData = new GraphData(parts);
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
    return await this.#roots.mount(containerId, options);
  }

  async unmount(containerId: string): Promise<void> {
    using _held = await this.#mutex.acquire(containerId);
    await this.#roots.unmount(containerId);
  }

  brokenRoot(containerId: string): string | undefined {
    return this.#roots.problemOf(containerId);
  }

  async remove(containerId: string): Promise<void> {
    using _held = await this.#mutex.acquire(containerId);
    await this.#roots.end(containerId);
    const row = this.#rows.get(containerId);
    if (row === undefined) return;
    failpoint('rw.rename');
    if (row.quotaBytes > 0) await this.#dropLimit(row);
    await (await this.#parts.views.driver(row.driver)).remove({ key: row.key }, this.#parts.views.context(undoSignal(60_000)));
    this.#parts.rows.removeRwLayer(containerId);
    this.#rows.delete(containerId);
    this.#graphData.forget(containerId);
    if (!this.#parts.rows.isImageTop(row.topChain)) await this.#parts.images.releaseUnused();
  }

  async borrow(containerId: string, options: Abortable = {}): Promise<Rootfs> {
    using _held = await this.#mutex.acquire(containerId, options);
    const path = await this.#roots.lend(containerId, options);
    let isHeld = true;
    return {
      path,
      [Symbol.asyncDispose]: async () => {
        if (!isHeld) return;
        isHeld = false;
        using _again = await this.#mutex.acquire(containerId);
        await this.#roots.takeBack(containerId);
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
    return this.#comparing(containerId, { signal, needsTreeBelow: (rules.mountPoints ?? []).length > 0 }, run);
  }

  describe(containerId: string): { readonly graphDriver: string; readonly graphData: Readonly<Record<string, string>> } {
    const row = this.#row(containerId);
    const graphData = this.#graphData.of(containerId, () => ({
      snapshot: this.#snapshot(row),
      target: this.#roots.target(containerId),
      isThere: () => this.#rows.has(containerId),
    }));
    return { graphDriver: row.driver, graphData };
  }

  /** Chains of containers whose root the kernel has mounted, with all that is below them. */
  mountedChains(): ReadonlySet<string> {
    const mounted = this.all().filter(({ containerId, topChain }) => topChain !== '' && this.#roots.isMounted(containerId));
    return new Set(mounted.flatMap(({ topChain }) => this.#parts.images.rowsOf(topChain).map(({ chainId }) => chainId)));
  }

  /** Containers whose mounted root stands on this layer. */
  usersOf(chainId: string): readonly string[] {
    const stands = ({ topChain }: RwLayerRow): boolean =>
      topChain !== '' && this.#parts.images.rowsOf(topChain).some((row) => row.chainId === chainId);
    return this.all().flatMap((row) => (this.#roots.isMounted(row.containerId) && stands(row) ? [row.containerId] : []));
  }

  topChain(containerId: string): string {
    return this.#row(containerId).topChain;
  }

  /** Whose root is mounted there. */
  containerAt(target: string): string | undefined {
    return this.all().find(({ containerId }) => this.#roots.target(containerId) === target)?.containerId;
  }

  /** Waits for mounts that are going away. */
  settled(): Promise<void> {
    return this.#roots.settled();
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
    return { ...this.#snapshot(row), attachmentId: attachmentOf(row.containerId), quotaBytes: row.quotaBytes };
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

  #comparing<T>(containerId: string, options: ComparingOptions, work: (comparison: Comparison) => Promise<T>): Promise<T> {
    // What is below shows owners as they are on the disk.
    const isMapped = this.#parts.idMapsOf(containerId) !== undefined;
    const whole = isMapped ? {} : { whole: () => this.borrow(containerId, options) };
    return comparing(this.#parts.views, this.#snapshot(this.#row(containerId)), { ...options, ...whole }, work);
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
}
