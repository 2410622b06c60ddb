import type { Ctx } from '@gantry/sdk';
import { conflict, notFound } from '@gantry/sdk';
import { type ExecDriver, isDescribing } from '@gantry/sdk/exec';
import { driverContext } from '../drivers/index.ts';
import { ContainerRows } from '../metadata/index.ts';
import { KeyedMutex } from '../support/index.ts';
import type { Entry } from './entry.ts';
import { ExecTable } from './exec/table.ts';
import { Folders } from './folders.ts';
import { followExits } from './recover/follow-exits.ts';
import { type Rows, Store } from './store.ts';
import type { LifecycleParts } from './types.ts';
import { renderContainer } from './view.ts';

/** What every operation of this room works with. */
export class Room {
  readonly parts: LifecycleParts;
  readonly folders: Folders;
  readonly rows: Rows;
  readonly store: Store;
  readonly execs = new ExecTable();
  readonly #locks = new KeyedMutex();
  readonly #closing = new AbortController();
  readonly #followed = new Set<string>();

  constructor(parts: LifecycleParts) {
    this.parts = parts;
    this.folders = new Folders(parts);
    this.rows = new ContainerRows(parts.database);
    this.store = new Store(this.rows, (entry) => renderContainer(entry, parts, this.folders));
  }

  /** Changes of one container come one after the other; whoever waits for its process to end must not hold this. */
  lock(entry: Entry): Promise<Disposable> {
    return this.#locks.acquire(entry.id);
  }

  /** The driver that has, or is to have, the container's process; its exits are followed from the first time it is asked for. */
  driver(entry: Pick<Entry, 'document'>): Promise<ExecDriver> {
    return this.driverNamed(this.driverName(entry));
  }

  driverName({ document }: Pick<Entry, 'document'>): string {
    return document.exec?.driver ?? this.defaultDriver();
  }

  driverNamed(name: string): Promise<ExecDriver> {
    if (!this.#followed.has(name)) {
      this.#followed.add(name);
      void followExits(this, name, this.#closing.signal);
    }
    return this.plainDriver(name);
  }

  async plainDriver(name: string): Promise<ExecDriver> {
    const driver = await this.parts.drivers.get('exec', name);
    if (isDescribing(driver)) throw conflict(`exec driver ${name} only describes processes: it cannot run any`);
    return driver;
  }

  /** The driver of containers that ask for no other, which also runs what others describe. */
  defaultDriver(): string {
    const { drivers, execDriver } = this.parts;
    const name = execDriver?.() ?? drivers.names('exec')[0];
    if (name === undefined) throw notFound('no exec driver is installed', { hint: 'the plugin exec/oci runs containers' });
    return name;
  }

  context(signal?: AbortSignal): Ctx {
    return driverContext(this.parts.log, signal);
  }

  /** Stops following; processes go on. */
  close(): void {
    this.#closing.abort();
  }

  /** A container event with Docker's attributes: image, name, labels and what belongs to the action. */
  announce(entry: Entry, action: string, further: Readonly<Record<string, string>> = {}): void {
    const { config } = entry.document;
    this.parts.events.publish('container', action, entry.id, { ...config.Labels, image: config.Image ?? '', name: entry.name, ...further });
  }
}
