import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GantryError, invalidArgument } from '@gantry/sdk';
import { Content, digestOf } from '../../../core/content/index.ts';
import type { Drivers, Grants } from '../../../core/drivers/index.ts';
import { Helpers } from '../../../core/execute/index.ts';
import { comparing } from '../../../core/layers/comparing.ts';
import { LayerUnpacking } from '../../../core/layers/layer-unpacking.ts';
import { Views } from '../../../core/layers/views.ts';
import { unpackedChanges } from '../../../core/layers/worker/change-list.ts';
import { TreeWorkers } from '../../../core/layers/worker/pool.ts';
import { needsLowerLayers } from '../../../core/layers/worker/unpack-rules.ts';
import type { GraphUnderTest, LayerWork, SnapshotRef } from '../../../sdk/graph/conformance.ts';
import { quietLog } from '../machine/quiet-log.ts';

interface Options {
  readonly driver: () => GraphUnderTest['driver'];
  readonly grants: Grants;
}

/** The layers room's own unpacking and comparing, over one naive driver. */
export class RealLayerWork implements LayerWork, AsyncDisposable {
  readonly #workers = new TreeWorkers();
  readonly #folder = mkdtempSync(join(tmpdir(), 'layer-work-'));
  readonly #content: Content;
  readonly #views: Views;
  readonly #helpers: Helpers;
  readonly #unpacking: LayerUnpacking;
  readonly #options: Options;

  constructor(options: Options) {
    const { grants, driver } = options;
    const drivers: Drivers = {
      get: async () => driver() as never,
      has: () => true,
      names: () => ['tested'],
      preferred: async () => 'tested',
      grants: () => grants,
    };
    this.#options = options;
    this.#content = new Content(this.#folder);
    this.#helpers = new Helpers({ execRoot: this.#folder, log: quietLog });
    this.#views = new Views({ drivers, execRoot: this.#folder, helpers: this.#helpers, log: quietLog });
    this.#unpacking = new LayerUnpacking({ content: this.#content, views: this.#views, workers: this.#workers });
  }

  async apply(ref: SnapshotRef, tar: Uint8Array, { diffId, signal }: Parameters<LayerWork['apply']>[2] = {}): Promise<void> {
    const digest = digestOf(Buffer.from(tar));
    const path = this.#content.newIngestPath();
    writeFileSync(path, tar);
    // Not the digest that is wanted, so that the bytes are hashed as they are read.
    const source = { diffId: '', blob: { path, digest, sizeBytes: tar.length } };
    try {
      const unpacked = await this.#unpack(ref, source, signal);
      if (diffId !== undefined && unpacked !== diffId) throw invalidArgument(`the layer is ${unpacked} and not ${diffId}`);
    } finally {
      rmSync(path);
    }
  }

  async diff(ref: SnapshotRef): Promise<Buffer> {
    const path = this.#content.newIngestPath();
    const fd = openSync(path, 'wx');
    try {
      await comparing(this.#views, snapshotOf(ref), {}, (comparison) => this.#workers.run('diff', { comparison, fd }));
      return readFileSync(path);
    } finally {
      closeSync(fd);
      rmSync(path);
    }
  }

  async changes(ref: SnapshotRef): ReturnType<LayerWork['changes']> {
    return unpackedChanges(await comparing(this.#views, snapshotOf(ref), {}, (comparison) => this.#workers.run('changes', { comparison })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#workers[Symbol.asyncDispose]();
    await this.#helpers[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }

  async #unpack(ref: SnapshotRef, source: Parameters<LayerUnpacking['unpack']>[1], signal: AbortSignal | undefined): Promise<string> {
    const hasChanges = this.#options.driver().features.includes('changes');
    const unpack = async (view: 'merged' | 'changes') =>
      (await this.#unpacking.unpack(snapshotOf(ref), source, { view, ...(signal && { signal }) })).diffId;
    try {
      return await unpack(hasChanges ? 'changes' : 'merged');
    } catch (error) {
      if (hasChanges && GantryError.is(error) && error.reason === needsLowerLayers) return unpack('merged');
      throw error;
    }
  }
}

function snapshotOf({ key, chain }: SnapshotRef) {
  return { driver: 'tested', key, chain };
}
