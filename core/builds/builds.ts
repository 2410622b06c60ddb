import { type Abortable, type Logger, notFound, notImplemented } from '@gantry/sdk';
import { buildStepAnnotation } from '@gantry/sdk/builder';
import type {
  BuildEvent,
  BuildImage,
  Builds,
  BuildStep,
  BuildTree,
  CacheRecord,
  Engine,
  Filtered,
  ImageFiles,
  TreeFile,
  VolumeInfo,
} from '@gantry/sdk/engine';
import type { Content } from '../content/index.ts';
import { driverContext, type Drivers } from '../drivers/index.ts';
import type { EventBus } from '../events/index.ts';
import type { ImagesRoom } from '../images/index.ts';
import type { Layers } from '../layers/index.ts';
import { BuildRecordRows, CacheRows, type Database } from '../metadata/index.ts';
import { familiarText, parseTag } from '../references/index.ts';
import { Turns } from '../support/index.ts';
import { BuildCache, recordFilter } from './cache.ts';
import { History } from './history.ts';
import { openImageFiles } from './image-files.ts';
import { type MountParts, mountRecords, removeMount } from './mounts.ts';
import { pruneRecords } from './prune.ts';
import { composeStep } from './step.ts';
import { Trees } from './trees.ts';

export interface BuildsOptions {
  readonly database: Database;
  readonly content: Content;
  readonly drivers: Drivers;
  readonly events: EventBus;
  readonly images: ImagesRoom;
  readonly layers: Layers;
  /** What steps keep for later ones, with sizes. */
  readonly keptVolumes: () => Promise<readonly VolumeInfo[]>;
  /** The engine as the builder sees it. */
  readonly engine: () => Engine;
  readonly log: Logger;
}

/** As many builds at once; the others wait. */
const buildsAtOnce = 4;

/** Builds, and what builders make images with. */
export class BuildsRoom implements Builds, Disposable {
  readonly #options: BuildsOptions;
  readonly #trees: Trees;
  readonly #cache: BuildCache;
  readonly #turns = new Turns(buildsAtOnce);
  #history: History | undefined;

  constructor(options: BuildsOptions) {
    this.#options = options;
    this.#trees = new Trees(options);
    this.#cache = new BuildCache({ rows: new CacheRows(options.database), ...options });
  }

  /** Read from the disk by the first who asks: most engines build nothing. */
  get history(): History {
    const { database, log } = this.#options;
    this.#history ??= new History(new BuildRecordRows(database), log);
    return this.#history;
  }

  async build({ signal = new AbortController().signal, ...request }: BuildImage): Promise<{ readonly id: string }> {
    const references = request.tags.map((tag) => familiarText(parseTag(tag)));
    if (this.#options.drivers.names('builder').length === 0)
      throw notImplemented('building images needs a builder plugin, and none is installed');
    const record = this.history.begin({ ...request, tags: references });
    const onEvent = (event: BuildEvent): void => {
      record.take(event);
      request.onEvent(event);
    };
    try {
      const id = await this.#build({ ...request, tags: references, onEvent }, signal);
      record.succeeded(id);
      return { id };
    } catch (error) {
      record.failed(error, signal);
      throw error;
    }
  }

  async #build({ tags, ...request }: BuildImage, signal: AbortSignal): Promise<string> {
    const { drivers, images, log, engine } = this.#options;
    const builder = await drivers.get('builder', await drivers.preferred('builder'));
    using _turn = await this.#turns.take({ signal });
    const { imageId: id } = await builder.build({ ...request, engine: engine() }, driverContext(log, signal));
    for (const reference of tags) {
      await images.tag(id, reference);
      request.onEvent({ kind: 'tagged', reference });
    }
    return id;
  }

  async prune(request: Parameters<Builds['prune']>[0]): ReturnType<Builds['prune']> {
    const types = request.filters?.['type'] ?? [];
    const { images, events, content } = this.#options;
    const withMounts = types.length === 0 ? request.all === true : types.includes('exec.cachemount');
    const layersBefore = images.layersSizeBytes;
    const deleted = await pruneRecords(
      {
        folder: content.ingestFolder,
        records: async () => [...this.#cache.records(), ...(withMounts ? await mountRecords(this.#mountParts()) : [])],
        remove: ({ id, kind }) => (kind === 'regular' ? this.#cache.remove(id) : removeMount(this.#mountParts(), id)),
      },
      request,
    );
    const mountBytes = deleted.reduce((sum, { kind, sizeBytes }) => sum + (kind === 'regular' ? 0 : sizeBytes), 0);
    const spaceReclaimed = layersBefore - images.layersSizeBytes + mountBytes;
    events.publish('builder', 'prune', '', { reclaimed: String(spaceReclaimed) });
    return { deleted: deleted.map(({ id }) => id), spaceReclaimed };
  }

  [Symbol.dispose](): void {
    this.#history?.[Symbol.dispose]();
    this.#cache[Symbol.dispose]();
  }

  /** Removes what steps of an engine that died left behind. One that failed, and was kept to be looked at, stays. */
  async reconcile(): Promise<void> {
    const { containers } = this.#options.engine();
    for (const { id, hostConfig, state } of containers.list({ all: true })) {
      const isStep = hostConfig.Annotations?.[buildStepAnnotation] !== undefined;
      if (isStep && (state.status !== 'exited' || state.exitCode === 0)) await containers.remove(id, { force: true, volumes: true });
    }
  }

  async cache({ filters = {} }: Filtered = {}): Promise<readonly CacheRecord[]> {
    const matches = recordFilter(filters);
    return [...this.#cache.records(), ...(await mountRecords(this.#mountParts()))].filter(matches);
  }

  #mountParts(): MountParts {
    return { kept: this.#options.keptVolumes, volumes: this.#options.engine().volumes };
  }

  files(image: string, options: Abortable = {}): Promise<ImageFiles> {
    return openImageFiles({ ...this.#options, trees: this.#trees }, image, options);
  }

  openArchive(tar: AsyncIterable<Buffer>, options: Abortable = {}): Promise<BuildTree> {
    return this.#trees.openArchive(tar, options);
  }

  openFiles(files: Iterable<TreeFile> | AsyncIterable<TreeFile>, options: Abortable = {}): Promise<BuildTree> {
    return this.#trees.openFiles(files, options);
  }

  loadLayout(files: AsyncIterable<TreeFile>, options: Abortable = {}): Promise<{ readonly id: string }> {
    return this.#trees.loadLayout(files, options);
  }

  openImage(image: string, options: Abortable = {}): Promise<BuildTree> {
    return this.#trees.openImage(image, options);
  }

  async compose(step: BuildStep & Abortable): Promise<{ readonly id: string }> {
    const { parent } = step;
    if (parent !== '' && this.#options.images.resolve(parent).id !== parent) throw notFound(`No such image: ${parent}`);
    return composeStep({ ...this.#options, trees: this.#trees, remember: (keys, id) => this.#cache.remember(keys, id) }, step);
  }

  cached(key: string): string | undefined {
    return this.#cache.find(key);
  }
}
