import { join } from 'node:path';
import { type Abortable, codeOf, conflict, type Logger, messageOf, notFound } from '@gantry/sdk';
import type { CopyVolume, CreateVolume, Filtered, PruneResult, VolumeInfo, Volumes } from '@gantry/sdk/engine';
import type { Drivers } from '../drivers/index.ts';
import type { EventBus } from '../events/index.ts';
import type { BrokenMount, Helpers } from '../execute/index.ts';
import { type Database, VolumeRows } from '../metadata/index.ts';
import type { AttachmentDocument } from './attachment-row.ts';
import { Attachments } from './attachments.ts';
import { pruneFilter } from './filters.ts';
import { VolumeLooks } from './looks.ts';
import { Mending } from './mending.ts';
import { MountPoints } from './mount-points.ts';
import { isAnonymous, type VolumeDocument, type VolumeRecord } from './record.ts';
import { VolumeRegistry } from './registry.ts';
import { separated } from './secrets.ts';
import { Settling } from './settling.ts';
import type { AttachOptions, ContainerVolumes, VolumeUsers } from './types.ts';
import { VolumeChanges } from './volume-changes.ts';

export interface VolumesRoomOptions {
  readonly database: Database;
  readonly drivers: Drivers;
  readonly events: Pick<EventBus, 'publish'>;
  readonly execRoot: string;
  /** For volumes whose creator names none. */
  readonly defaultDriver: string;
  readonly log: Logger;
  /** Who runs the helpers of FUSE mounts; without it there are none. */
  readonly helpers?: Helpers;
  readonly users?: () => VolumeUsers;
}

/** Volumes as users see them, and as containers use them. */
export class VolumesRoom implements Volumes, ContainerVolumes {
  readonly #options: VolumesRoomOptions;
  readonly #rows: VolumeRows<VolumeDocument, AttachmentDocument>;
  readonly #registry: VolumeRegistry;
  readonly #attachments: Attachments;
  readonly #looks: VolumeLooks;
  readonly #changes: VolumeChanges;
  readonly #settling = new Settling();
  readonly #removing = new Set<string>();
  readonly #opened = new DisposableStack();
  readonly #mending: Mending;

  constructor(options: VolumesRoomOptions) {
    this.#options = options;
    const { database, drivers, execRoot, defaultDriver, log, helpers } = options;
    this.#mending = this.#opened.use(new Mending(log));
    this.#rows = new VolumeRows(database);
    this.#registry = new VolumeRegistry({ rows: this.#rows, drivers, defaultDriver, log });
    const [registry, rows] = [this.#registry, this.#rows];
    const mountPoints = new MountPoints({ rows, root: join(execRoot, 'volumes'), helpers, log });
    const attachments = new Attachments({ registry, rows, drivers, mountPoints, log });
    this.#attachments = attachments;
    const looks = new VolumeLooks({ registry, attachments, mountPoints, rows, drivers, log });
    this.#looks = looks;
    const [removing, publish] = [this.#removing, this.#publish.bind(this)];
    this.#changes = new VolumeChanges({ registry, attachments, rows, looks, removing, publish });
    if (helpers !== undefined) this.#opened.use(helpers.onBroken((broken) => this.#onBroken(broken)));
  }

  /** What is mounted stays. */
  [Symbol.dispose](): void {
    this.#opened.dispose();
  }

  async create(request: CreateVolume, options: Abortable = {}): Promise<VolumeInfo> {
    const { record, isNew } = await this.#registry.create(request, options);
    if (isNew) this.#publish('create', record);
    return this.#looks.info(record);
  }

  async inspect(name: string): Promise<VolumeInfo> {
    return this.#looks.inspect(await this.#registry.find(name));
  }

  list(request: Filtered): ReturnType<Volumes['list']> {
    return this.#looks.list(request);
  }

  async remove(name: string, { force }: { readonly force: boolean }): Promise<void> {
    let record: VolumeRecord;
    try {
      record = await this.#registry.find(name);
    } catch (error) {
      if (force && codeOf(error) === 'not_found') return;
      throw error;
    }
    using _lock = await this.#registry.lock(name);
    if (this.#registry.known(name) === undefined) {
      if (force) return;
      throw notFound(`get ${name}: no such volume`);
    }
    await this.#delete(record, force);
  }

  async prune({ filters = {} }: Filtered): Promise<PruneResult> {
    const matches = pruneFilter(filters);
    const deleted: string[] = [];
    let spaceReclaimed = 0;
    for (const record of this.#registry.records) {
      if (!matches(record) || this.#settling.has(record.name) || this.#rows.users(record.name).length > 0) continue;
      const { sizeBytes } = await this.#looks.usageOf(record);
      try {
        await this.remove(record.name, { force: false });
      } catch (error) {
        this.#options.log.warn({ volume: record.name, error: messageOf(error) }, 'volume could not be pruned');
        continue;
      }
      deleted.push(record.name);
      spaceReclaimed += Math.max(0, sizeBytes);
    }
    this.#options.events.publish('volume', 'prune', '', { reclaimed: String(spaceReclaimed) });
    return { deleted, spaceReclaimed };
  }

  /** All volumes, or those of builds, with their size (-1: the driver cannot say) and the number of containers that refer to them. */
  usage({ ofBuilds = false }: { readonly ofBuilds?: boolean } = {}): Promise<readonly VolumeInfo[]> {
    return this.#looks.usage({ ofBuilds });
  }

  rename(name: string, to: string): Promise<VolumeInfo> {
    return this.#changes.rename(name, to);
  }

  resize(name: string, bytes: number): Promise<void> {
    return this.#changes.resize(name, bytes);
  }

  clone(request: CopyVolume): Promise<VolumeInfo> {
    return this.#changes.clone(request);
  }

  snapshot(request: Omit<CopyVolume, 'options'>): Promise<VolumeInfo> {
    return this.#changes.snapshot(request);
  }

  get count(): number {
    return this.#registry.records.length;
  }

  /** Each record, and what keeps its driver from having the volume. */
  async *present(): AsyncGenerator<{ readonly name: string; readonly driver: string; readonly problem: string | undefined }> {
    for (const { name, driver } of this.#registry.records) yield { name, driver, problem: await this.#registry.problemOf(name, driver) };
  }

  async ensure({ readOnly = false, ...request }: Parameters<ContainerVolumes['ensure']>[0]): ReturnType<ContainerVolumes['ensure']> {
    const { record, isNew } = await this.#registry.create(request);
    if (!readOnly) mustBeWritable(record);
    this.#settling.begin(record.name);
    if (isNew) this.#publish('create', record);
    return {
      name: record.name,
      driver: record.driver,
      anonymous: isAnonymous(record),
      created: isNew,
      isSnapshot: record.snapshotOf !== undefined,
      keepsRoot: record.keepsRoot ?? false,
    };
  }

  shownOptions(driver: string, options: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const { drivers, defaultDriver } = this.#options;
    return separated(options, drivers.grants('volume', driver === '' ? defaultDriver : driver)).options;
  }

  reference(containerId: string, name: string): void {
    if (this.#removing.has(name) || this.#registry.known(name) === undefined) throw notFound(`get ${name}: no such volume`);
    this.#rows.refer(containerId, name);
    this.#settling.end(name);
  }

  unreference(containerId: string, name?: string): void {
    this.#rows.unrefer(containerId, name);
  }

  async attach(containerId: string, containerName: string, name: string, options: AttachOptions): ReturnType<ContainerVolumes['attach']> {
    using _lock = await this.#registry.lock(name, options);
    const record = await this.#registry.find(name);
    if (!options.readOnly) mustBeWritable(record);
    const attached = await this.#attachments.attach(
      record,
      { id: containerId, name: containerName, ...(options.labels && { labels: options.labels }) },
      options,
    );
    this.#tell('mount', record, {
      container: options.tellOf ?? containerId,
      destination: options.destination ?? '',
      propagation: options.propagation ?? '',
      'read/write': String(!options.readOnly),
    });
    return attached;
  }

  async detach(containerId: string, name: string, { tellOf = containerId }: Pick<AttachOptions, 'tellOf'> = {}): Promise<void> {
    using _lock = await this.#registry.lock(name);
    await this.#attachments.detach(containerId, name);
    const record = this.#registry.known(name);
    if (record !== undefined) this.#tell('unmount', record, { container: tellOf });
  }

  broken(containerId: string): ReadonlyMap<string, string> {
    return this.#attachments.brokenOf(containerId);
  }

  async adopt(containerId: string, names: readonly string[]): Promise<void> {
    for (const broken of this.#attachments.adopt(containerId, names)) this.#onBroken(broken);
  }

  /** After all running containers were adopted: finishes or undoes what an engine that died left behind. */
  async reconcile(): Promise<void> {
    for (const { containerId, name } of this.#attachments.stale()) {
      using _lock = await this.#registry.lock(name);
      await this.#attachments.detach(containerId, name);
    }
    await this.#registry.reconcile();
  }

  async removeAnonymous(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const record = this.#registry.known(name);
      if (record === undefined || !isAnonymous(record) || this.#rows.users(name).length > 0) continue;
      try {
        await this.remove(name, { force: true });
      } catch (error) {
        this.#options.log.warn({ volume: name, error: messageOf(error) }, 'anonymous volume could not be removed');
      }
    }
  }

  async mountpoint(name: string): Promise<string> {
    return this.#looks.mountpoint(await this.#registry.find(name));
  }

  async #delete(record: VolumeRecord, force: boolean): Promise<void> {
    const { name } = record;
    const users = this.#rows.users(name);
    if (users.length > 0) throw conflict(`remove ${name}: volume is in use - [${users.join(', ')}]`);
    this.#removing.add(name);
    try {
      await this.#registry.delete(record, { force });
    } finally {
      this.#removing.delete(name);
    }
    this.#settling.end(name);
    this.#publish('destroy', record);
  }

  /** The helper of a mount ended: who uses it is told, and it is mounted anew for those who come. */
  #onBroken(broken: BrokenMount): void {
    const { reason } = broken;
    const rows = this.#attachments.markBroken(broken);
    const [first] = rows;
    const record = first && this.#registry.known(first.name);
    if (first === undefined || record === undefined) return;
    const containers = rows.map(({ containerId }) => containerId);
    const { name } = record;
    this.#publish('broken', record, { reason, containers: containers.join(',') });
    this.#options.users?.().volumeBroke(containers, { volume: name, reason });
    const path = first.document.path ?? '';
    this.#mending.later(path, async () => {
      using _lock = await this.#registry.lock(name);
      await this.#attachments.mend(record, path);
    });
  }

  /** Of a use by a container; by one that is none, nothing. */
  #tell(
    action: 'mount' | 'unmount',
    record: VolumeRecord,
    attributes: { readonly container: string } & Readonly<Record<string, string>>,
  ): void {
    if (attributes.container !== '') this.#publish(action, record, attributes);
  }

  #publish(action: string, { name, driver }: VolumeRecord, attributes: Readonly<Record<string, string>> = {}): void {
    this.#options.events.publish('volume', action, name, { driver, ...attributes });
  }
}

function mustBeWritable({ name, snapshotOf }: VolumeRecord): void {
  if (snapshotOf !== undefined) throw conflict(`volume ${name} is a snapshot of ${snapshotOf}: it can only be mounted read-only`);
}
