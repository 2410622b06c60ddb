import { closeSync, existsSync, openSync, readdirSync, rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GantryError, type Logger, messageOf } from '@gantry/sdk';
import type { GraphDriver } from '@gantry/sdk/graph';
import type { IdMaps } from '@gantry/sdk/linux';
import type { Content, Ingested } from '../content/index.ts';
import type { Drivers } from '../drivers/index.ts';
import type { Helpers } from '../execute/index.ts';
import { type Database, LayerRows } from '../metadata/index.ts';
import { undoSignal } from '../support/index.ts';
import { TreeArchives } from './archives.ts';
import { ContainerTrees, type DiffOptions } from './container-layers.ts';
import { ImageLayers } from './image-layers.ts';
import { Views } from './views.ts';
import { TreeWorkers } from './worker/pool.ts';

export interface LayersOptions {
  readonly database: Database;
  readonly drivers: Drivers;
  readonly content: Content;
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Who runs the helpers of FUSE mounts; without it there are none. */
  readonly helpers?: Helpers;
  /** Told when the helper of a container's root has ended. */
  readonly onBroken?: (containerId: string, reason: string) => void;
  /** How owners are shown in a container's root; as they are unless given. */
  readonly idMapsOf?: (containerId: string) => IdMaps | undefined;
  readonly log: Logger;
}

/** The room's three faces, and what they share. Disposing ends the threads; mounts of containers stay, for the next engine to find. */
export class Layers implements AsyncDisposable {
  readonly images: ImageLayers;
  readonly containers: ContainerTrees;
  readonly archives: TreeArchives;
  readonly workers = new TreeWorkers();
  readonly #content: Content;
  readonly #views: Views;
  readonly #rows: LayerRows;
  readonly #execRoot: string;
  readonly #log: Logger;
  readonly #opened = new DisposableStack();

  constructor({
    database,
    drivers,
    content,
    dataRoot,
    execRoot,
    helpers,
    onBroken = () => {},
    idMapsOf = () => undefined,
    log,
  }: LayersOptions) {
    this.#content = content;
    this.#execRoot = execRoot;
    this.#log = log;
    this.#rows = new LayerRows(database);
    this.#views = new Views({ drivers, execRoot, helpers, log });
    const shared = { rows: this.#rows, views: this.#views, workers: this.workers, log };
    this.images = new ImageLayers({ ...shared, content });
    this.containers = new ContainerTrees({ ...shared, images: this.images, execRoot, idMapsOf });
    if (helpers !== undefined) this.#opened.use(helpers.onBroken(({ target, reason }) => this.#rootBroke(target, reason, onBroken)));
    this.archives = new TreeArchives(this.workers, join(dataRoot, 'content', 'ingest'));
  }

  /** The container's changes as a layer tar in the ingest folder; whoever asked adopts or removes it. */
  async exportChanges(containerId: string, options: DiffOptions = {}): Promise<Ingested> {
    const path = this.#content.newIngestPath();
    const fd = openSync(path, 'wx', 0o600);
    try {
      const { digest, tarBytes } = await this.containers.diff(containerId, fd, options);
      return { path, digest, sizeBytes: tarBytes };
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** Where a layer's tar may be written that is to become a blob; what a crash leaves there is swept. */
  newLayerPath(): string {
    return this.#content.newIngestPath();
  }

  /** Forgets and deletes layers that nothing refers to; the bytes that this freed. */
  async releaseUnused(): Promise<number> {
    const freed = await this.images.releaseUnused();
    this.containers.forgetInits();
    return freed;
  }

  /**
   * Removes what crashes left behind: views, snapshots and writable layers that no record names. For a quiet moment after the start,
   * and only while nothing is being loaded. `containerIds`: the containers that exist.
   */
  async collect(driverNames: readonly string[], containerIds: ReadonlySet<string>): Promise<void> {
    await this.#dropViews();
    for (const { containerId } of this.containers.all()) if (!containerIds.has(containerId)) await this.containers.remove(containerId);
    await this.releaseUnused();
    for (const name of driverNames) await this.#dropUnknown(name);
  }

  /** Unpacks again what a power cut took before it was on the disk. Before the first call, after `collect`. */
  mend(): Promise<void> {
    return this.images.settling.mend(this.containers.mountedChains());
  }

  #rootBroke(target: string, reason: string, onBroken: NonNullable<LayersOptions['onBroken']>): void {
    const containerId = this.containers.containerAt(target);
    if (containerId !== undefined) onBroken(containerId, reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#opened.dispose();
    await this.containers.settled();
    await this.images.settling[Symbol.asyncDispose]();
    await this.workers[Symbol.asyncDispose]();
  }

  async #dropViews(): Promise<void> {
    const folder = join(this.#execRoot, 'layers');
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder)) {
      await this.#views.unmount(join(folder, name));
      rmdirSync(join(folder, name));
    }
  }

  /** Of the graph drivers that records name. */
  driverNames(): readonly string[] {
    return [...new Set(this.#records().map(({ driver }) => driver))].toSorted();
  }

  /** Keys that this driver has and no record names, and keys of records that it has not. */
  async compare(driverName: string): Promise<{ readonly unknown: readonly string[]; readonly missing: readonly string[] }> {
    const driver = await this.#views.driver(driverName);
    const there = new Set<string>();
    for await (const { key } of driver.list({}, this.#views.context())) there.add(key);
    const known = new Set(this.#records().flatMap((row) => (row.driver === driverName ? [row.key] : [])));
    const isMaking = (key: string): boolean => this.images.isStaged(key) || this.containers.isMaking(key);
    return {
      unknown: [...there].filter((key) => !known.has(key) && !isMaking(key)),
      missing: [...known].filter((key) => !there.has(key) && !isMaking(key)),
    };
  }

  /** Which lie on which only the driver knows: parents are refused until their children are gone. Answers what is left. */
  async removeSnapshots(driverName: string, keys: readonly string[]): Promise<readonly string[]> {
    const driver = await this.#views.driver(driverName);
    let left = keys;
    for (let before = -1; left.length > 0 && left.length !== before; ) {
      before = left.length;
      left = await this.#tryRemove(driver, left);
    }
    return left;
  }

  #records(): readonly { readonly driver: string; readonly key: string }[] {
    return [...this.images.all(), ...this.#rows.initLayers(), ...this.containers.all()];
  }

  async #dropUnknown(name: string): Promise<void> {
    try {
      const left = await this.removeSnapshots(name, (await this.compare(name)).unknown);
      if (left.length > 0) this.#log.warn({ driver: name, keys: left }, 'snapshots that nobody knows are in use');
    } catch (error) {
      this.#log.warn({ driver: name, error: messageOf(error) }, 'collection of snapshots failed');
    }
  }

  /** Those that are in use still. */
  async #tryRemove(driver: GraphDriver, keys: readonly string[]): Promise<string[]> {
    const left: string[] = [];
    for (const key of keys) {
      try {
        await driver.remove({ key }, this.#views.context(undoSignal(60_000)));
      } catch (error) {
        if (!GantryError.is(error) || error.code !== 'conflict') throw error;
        left.push(key);
      }
    }
    return left;
  }
}
