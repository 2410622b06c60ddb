import { type Abortable, codeOf, type Ctx, type Logger, messageOf, notFound } from '@gantry/sdk';
import type { CreateVolume } from '@gantry/sdk/engine';
import type { Volume, VolumeAnswer, VolumeDriver } from '@gantry/sdk/volume';
import { driverContext, driverName, type Drivers } from '../drivers/index.ts';
import type { VolumeRows } from '../metadata/index.ts';
import { failpoint, KeyedMutex, randomId } from '../support/index.ts';
import { findVolume } from './asking.ts';
import { creatorOf, problemOf, removeData } from './driver-calls.ts';
import { checkVolumeName } from './names.ts';
import { anonymousLabel, dataPathOf, recordOf, type VolumeDocument, type VolumeRecord } from './record.ts';
import { isCertain, lacking, named, taken } from './refusals.ts';
import { hiddenInError, separated } from './secrets.ts';

export interface RegistryOptions {
  readonly rows: VolumeRows<VolumeDocument, unknown>;
  readonly drivers: Drivers;
  readonly defaultDriver: string;
  readonly log: Logger;
}
export interface Made {
  readonly record: VolumeRecord;
  readonly isNew: boolean;
}

type Texts = Readonly<Record<string, string>>;

interface Wanted extends Pick<VolumeDocument, 'options' | 'labels'>, Abortable {
  readonly name: string;
  readonly driver: string | undefined;
  /** How the driver makes it; by `create` unless given. */
  readonly ask?: (driver: VolumeDriver, given: { readonly secrets: Texts; readonly ctx: Ctx }) => Promise<VolumeAnswer>;
}
export interface CopyRequest extends Pick<VolumeDocument, 'options' | 'labels'> {
  readonly kind: 'clone' | 'snapshot';
  readonly name: string;
}

/** Which volumes there are: the engine's records, kept in memory as well, and how they come and go together with the drivers' volumes. */
export class VolumeRegistry {
  readonly #options: RegistryOptions;
  readonly #records = new Map<string, VolumeRecord>();
  readonly #locks = new KeyedMutex();

  constructor(options: RegistryOptions) {
    this.#options = options;
    for (const { name, driver, document } of options.rows.all()) this.#records.set(name, { name, driver, ...document });
  }

  /** Known to the engine, by name. */
  get records(): readonly VolumeRecord[] {
    return [...this.#records.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  known(name: string): VolumeRecord | undefined {
    return this.#records.get(name);
  }

  /** One operation at a time per volume. */
  lock(name: string, { signal }: Abortable = {}): Promise<Disposable> {
    return this.#locks.acquire(name, signal === undefined ? {} : { signal });
  }

  /** Both, in an order that keeps two callers from waiting for each other. */
  async lockBoth(one: string, other: string): Promise<Disposable> {
    using held = new DisposableStack();
    for (const name of new Set([one, other].toSorted())) held.use(await this.lock(name));
    return held.move();
  }

  /** The volume, also one that only its driver knows. Fails with `not_found`. */
  async find(name: string): Promise<VolumeRecord> {
    const record = this.#records.get(name) ?? (await this.#adopt(name));
    if (record === undefined) throw notFound(`get ${name}: no such volume`);
    return record;
  }

  /** Why the driver cannot show this volume; undefined when it can. */
  problemOf(name: string, driver: string): Promise<string | undefined> {
    return problemOf(this.#options.drivers, driver, name, this.context());
  }

  /** There already with the same driver: that one. Another driver: `conflict`. */
  async create({ name, driver: wanted, options = {}, labels = {} }: CreateVolume, { signal }: Abortable = {}): Promise<Made> {
    const driver = wanted === undefined ? undefined : driverName(wanted);
    if (name === undefined || name === '') {
      const own = randomId();
      using _lock = await this.lock(own, { signal });
      return await this.#make({ name: own, driver, options, labels: { ...labels, [anonymousLabel]: '' }, signal });
    }
    checkVolumeName(name);
    using _lock = await this.lock(name, { signal });
    await this.#settle(name);
    const record = this.#records.get(name) ?? (await this.#adopt(name));
    if (record === undefined) return await this.#make({ name, driver, options, labels, signal });
    if (driver !== undefined && driver !== '' && driver !== record.driver) throw taken('create', record);
    return { record, isNew: false };
  }

  /** A volume with what `source` has now; the caller holds the locks of both. `conflict` when the name is taken, `not_implemented` when the driver cannot. */
  async copy(source: VolumeRecord, { kind, name, options, labels }: CopyRequest): Promise<VolumeRecord> {
    await this.#mustBeFree(name, kind);
    const { name: from, driver } = source;
    const own = this.given(source);
    const { options: open } = separated(options, this.#options.drivers.grants('volume', driver));
    const ask: Wanted['ask'] = async (copier, { secrets, ctx }) => {
      const answer =
        kind === 'clone'
          ? await copier.clone?.({ name, from, options: open, secrets }, ctx)
          : await copier.snapshot?.({ name, from, secrets }, ctx);
      return answer ?? lacking(driver, kind);
    };
    return (await this.#make({ name, driver, options: { ...own.options, ...own.secrets, ...options }, labels, ask })).record;
  }

  /** The same volume under another name, which makes an anonymous one a named one. The caller holds the locks of both and has looked for users. */
  async rename(record: VolumeRecord, to: string): Promise<VolumeRecord> {
    await this.#mustBeFree(to, 'rename');
    const { name, driver } = record;
    const renamer = await this.driver(driver);
    if (renamer.rename === undefined) lacking(driver, 'rename');
    this.#options.rows.intend({ kind: 'volume.rename', name, driver, to });
    let volume: Volume;
    try {
      failpoint('volume.rename.plugin.call');
      ({ volume } = await renamer.rename({ name, to }, this.context()));
    } catch (error) {
      if (isCertain(error)) this.#options.rows.forget(name);
      else await this.#settle(name).catch(() => undefined);
      throw named(error, `rename ${name}`);
    }
    failpoint('volume.rename.meta.txn');
    return this.#move(record, { ...volume, name: to });
  }

  async resize({ name, driver }: VolumeRecord, bytes: number): Promise<void> {
    const resizer = await this.driver(driver);
    if (resizer.resize === undefined) lacking(driver, 'resize');
    try {
      failpoint('volume.resize.plugin.call');
      await resizer.resize({ name, bytes }, this.context());
      failpoint('volume.resize.called');
    } catch (error) {
      throw named(error, `resize ${name}`);
    }
  }

  /** Removes data and record; the caller holds the lock and has looked for users. A driver that does not know it any more is fine. */
  async delete(record: VolumeRecord, { force }: { readonly force: boolean }): Promise<void> {
    const { name, driver, ...document } = record;
    this.#options.rows.intend({ kind: 'volume.remove', name, driver });
    try {
      await removeData(this.#options.drivers, driver, { name, force, ctx: this.context() });
    } catch (error) {
      this.#options.rows.put({ name, driver, document });
      throw error;
    }
    failpoint('volume.rm.meta.txn');
    this.#options.rows.remove(name);
    this.#records.delete(name);
  }

  /** After a restart: what was begun and not recorded is undone (create) or done (remove). */
  async reconcile(): Promise<void> {
    for (const { kind, name, driver } of this.#options.rows.intents()) {
      try {
        using _lock = await this.lock(name);
        await this.#settle(name);
      } catch (error) {
        this.#options.log.warn({ volume: name, driver, error: messageOf(error) }, `${kind} stays unfinished`);
      }
    }
  }

  /** What its driver is given with an attachment. Options that became secret with a new version of its plugin are among them. */
  given({ name, driver, options }: VolumeRecord): { readonly options: Texts; readonly secrets: Texts } {
    const { options: open, secrets } = separated(options, this.#options.drivers.grants('volume', driver));
    return { options: open, secrets: { ...secrets, ...this.#options.rows.secrets(name) } };
  }

  /** What everybody may see of its options. */
  shown(record: VolumeRecord): VolumeRecord {
    const { drivers } = this.#options;
    if (!drivers.has('volume', record.driver)) return record;
    return { ...record, options: separated(record.options, drivers.grants('volume', record.driver)).options };
  }

  driver(name: string): Promise<VolumeDriver> {
    return this.#options.drivers.get('volume', name);
  }

  context({ signal }: Abortable = {}) {
    return driverContext(this.#options.log, signal);
  }

  /** Ends what a dead engine began with this name; the caller holds the lock. */
  async #settle(name: string): Promise<void> {
    for (const { kind, driver, to, ...intent } of this.#options.rows
      .intents()
      .filter((known) => known.name === name || known.to === name)) {
      if (kind === 'volume.rename') {
        await this.#settleRename(intent.name, driver, to ?? '');
        continue;
      }
      if (kind === 'volume.create' && this.#records.has(name)) continue;
      await removeData(this.#options.drivers, driver, { name, force: true, ctx: this.context() });
      this.#options.rows.remove(name);
      this.#records.delete(name);
    }
  }

  /** Whether the driver came to it before the engine died, it knows. */
  async #settleRename(name: string, driver: string, to: string): Promise<void> {
    const record = this.#records.get(name);
    try {
      const { volume } = await (await this.driver(driver)).stat({ name: to }, this.context());
      if (record !== undefined) this.#move(record, { ...volume, name: to });
    } catch (error) {
      if (codeOf(error) !== 'not_found') throw error;
      this.#options.rows.forget(name);
    }
  }

  #move(record: VolumeRecord, volume: Volume): VolumeRecord {
    const { [anonymousLabel]: _, ...labels } = record.labels;
    const moved = { ...record, labels, name: volume.name, ...dataPathOf(volume) };
    const { name, driver, ...document } = moved;
    this.#options.rows.move(record.name, { name, driver, document });
    this.#records.delete(record.name);
    this.#records.set(name, moved);
    return moved;
  }

  async #mustBeFree(name: string, doing: string): Promise<void> {
    checkVolumeName(name);
    await this.#settle(name);
    const record = this.#records.get(name) ?? (await this.#adopt(name));
    if (record !== undefined) throw taken(doing, record);
  }

  async #make({ name, driver: wanted, options: given, labels, ask, signal }: Wanted): Promise<Made> {
    const driver = wanted === undefined || wanted === '' ? this.#options.defaultDriver : wanted;
    const creator = await creatorOf(this.#options.drivers, driver, name);
    const { options, secrets } = separated(given, this.#options.drivers.grants('volume', driver));
    this.#options.rows.intend({ kind: 'volume.create', name, driver });
    let volume: Volume;
    try {
      failpoint('volume.create.plugin.call');
      const ctx = this.context({ signal });
      ({ volume } = await (ask?.(creator, { secrets, ctx }) ?? creator.create({ name, options, labels, secrets }, ctx)));
    } catch (error) {
      if (isCertain(error)) this.#options.rows.remove(name);
      else void this.#takeBack(name, driver);
      throw named(hiddenInError(error, secrets), `create ${name}`);
    }
    failpoint('volume.create.meta.txn');
    const record = recordOf({ ...volume, name }, driver, { options, labels });
    this.#record(record, secrets);
    return { record, isNew: true };
  }

  /** It may have been made, and nobody will ask for it: the driver is asked to remove it, now or when it is there again. */
  async #takeBack(name: string, driver: string): Promise<void> {
    try {
      using _lock = await this.lock(name);
      await this.#settle(name);
    } catch (error) {
      this.#options.log.warn({ volume: name, driver, error: messageOf(error) }, 'a volume that may have been made is taken back later');
    }
  }

  /** A volume that was made behind the engine's back gets a record when somebody asks for it. */
  async #adopt(name: string): Promise<VolumeRecord | undefined> {
    const { drivers, log } = this.#options;
    const found = await findVolume(name, { drivers, log });
    if (found === undefined) return undefined;
    const { driver, volume } = found;
    const { options, secrets } = separated(volume.options, drivers.grants('volume', driver));
    const record = recordOf({ ...volume, name }, driver, { options, labels: {} });
    this.#record(record, secrets);
    return record;
  }

  #record(record: VolumeRecord, secrets: Readonly<Record<string, string>> = {}): void {
    const { name, driver, ...document } = record;
    this.#options.rows.put({ name, driver, document, secrets });
    this.#records.set(name, record);
  }
}
