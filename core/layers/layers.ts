import { closeSync, existsSync, openSync, readdirSync, rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Abortable, GantryError, type Logger, messageOf } from '@gantry/sdk';
import type { GraphDriver } from '@gantry/sdk/graph';
import type { Content, Ingested } from '../content/index.ts';
import type { Drivers } from '../drivers/index.ts';
import { unmount } from '../execute/index.ts';
import { type Database, LayerRows } from '../metadata/index.ts';
import { undoSignal } from '../support/index.ts';
import { TreeArchives } from './archives.ts';
import { ContainerTrees } from './container-layers.ts';
import { ImageLayers } from './image-layers.ts';
import { Views } from './views.ts';
import { TreeWorkers } from './worker/pool.ts';

export interface LayersOptions {
  readonly database: Database;
  readonly drivers: Drivers;
  readonly content: Content;
  readonly dataRoot: string;
  readonly execRoot: string;
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

  constructor({ database, drivers, content, dataRoot, execRoot, log }: LayersOptions) {
    this.#content = content;
    this.#execRoot = execRoot;
    this.#log = log;
    this.#rows = new LayerRows(database);
    this.#views = new Views({ drivers, execRoot, log });
    const shared = { rows: this.#rows, views: this.#views, workers: this.workers, log };
    this.images = new ImageLayers({ ...shared, content, dataRoot });
    this.containers = new ContainerTrees({ ...shared, images: this.images, execRoot });
    this.archives = new TreeArchives(this.workers, join(dataRoot, 'content', 'ingest'));
  }

  /** The container's changes as a layer tar in the ingest folder; whoever asked adopts or removes it. */
  async exportChanges(containerId: string, options: Abortable = {}): Promise<Ingested> {
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.containers.settled();
    await this.workers[Symbol.asyncDispose]();
  }

  async #dropViews(): Promise<void> {
    const folder = join(this.#execRoot, 'layers');
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder)) {
      await unmount(join(folder, name));
      rmdirSync(join(folder, name));
    }
  }

  async #dropUnknown(name: string): Promise<void> {
    try {
      const driver = await this.#views.driver(name);
      const known = new Set(
        [...this.images.all(), ...this.#rows.initLayers(), ...this.containers.all()]
          .filter((row) => row.driver === name)
          .map(({ key }) => key),
      );
      let unknown: string[] = [];
      for await (const { key } of driver.list({}, this.#views.context()))
        if (!known.has(key) && !this.images.isStaged(key)) unknown.push(key);
      // Which lie on which only the driver knows: parents are refused until their children are gone.
      for (let before = 0; unknown.length > 0 && unknown.length !== before; ) {
        before = unknown.length;
        unknown = await this.#tryRemove(driver, unknown);
      }
      if (unknown.length > 0) this.#log.warn({ driver: name, keys: unknown }, 'snapshots that nobody knows are in use');
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
