import { type Abortable, codeOf, conflict, exhausted, firstCause, invalidArgument, type Logger, messageOf, notFound } from '@gantry/sdk';
import type { BuildEvent, BuildHistory, BuildImage, BuildRecord, BuildRecordChange, TimedBuildEvent } from '@gantry/sdk/engine';
import type { BuildRecordRows } from '../metadata/index.ts';
import { operationId } from '../support/index.ts';
import { packEvents, Recording, unpackEvents } from './recording.ts';

const mostRecords = 50;
const oldestMs = 48 * 3_600_000;
const mostKept = 200;
const writeLaterMs = 300;

/** How one build ends. */
export interface OpenRecord {
  take(event: BuildEvent): void;
  succeeded(imageId: string): void;
  failed(error: unknown, signal: AbortSignal): void;
}

/** The builds that run, and those that ran. What is over goes to the disk a little later, many at once. */
export class History implements BuildHistory, Disposable {
  readonly #rows: BuildRecordRows;
  readonly #log: Logger;
  readonly #records = new Map<string, BuildRecord>();
  /** Of those that run, or that the disk does not have yet. */
  readonly #recordings = new Map<string, Recording>();
  readonly #unwritten = new Set<string>();
  readonly #listeners = new Set<(change: BuildRecordChange) => void>();
  #writing: NodeJS.Timeout | undefined;

  constructor(rows: BuildRecordRows, log: Logger) {
    this.#rows = rows;
    this.#log = log;
    for (const { id, document } of rows.documents()) {
      const record = recordOf(document);
      if (record?.id === id) this.#records.set(id, record);
      else {
        log.warn({ build: id }, 'a record of the history of builds is damaged, and forgotten');
        rows.remove([id]);
      }
    }
    this.#forgetOld();
  }

  begin({ record: given = {}, context, ...options }: BuildImage): OpenRecord {
    const recording = new Recording();
    const id = given.id !== undefined && /^[\w.-]{1,128}$/.test(given.id) && !this.#records.has(given.id) ? given.id : operationId();
    const { dockerfile, tags, buildArgs, labels, target, platform, cacheFrom } = options;
    const running: BuildRecord = {
      id,
      status: 'running',
      startedMs: Date.now(),
      tags: given.tags ?? tags,
      dockerfile,
      buildArgs: bounded(buildArgs),
      labels: bounded(labels),
      target,
      platform,
      cacheFrom,
      remote: context.kind === 'remote' ? context.url.replace(/^([a-z]+:\/\/)[^/@]*@/i, '$1***@').slice(0, 1000) : '',
      ...recording.counted,
      imageId: '',
      isKept: false,
      attributes: bounded(given.attributes ?? {}),
    };
    this.#records.set(id, running);
    this.#recordings.set(id, recording);
    this.#tell('started', running);
    const end = (outcome: Partial<BuildRecord>): void => {
      recording.end();
      const before = this.#records.get(id) ?? running;
      const record = { ...before, ...recording.counted, ...outcome, endedMs: Date.now() };
      this.#records.set(id, record);
      this.#tell('ended', record);
      this.#unwritten.add(id);
      this.#writing ??= setTimeout(() => this.#write(), writeLaterMs).unref();
    };
    return {
      take: (event) => recording.take(event),
      succeeded: (imageId) => end({ status: 'completed', imageId }),
      failed: (thrown, signal) => {
        const error = firstCause(thrown);
        const isCanceled = signal.aborted || codeOf(error) === 'cancelled';
        end({ status: isCanceled ? 'canceled' : 'error', error: { code: codeOf(error), message: messageOf(error) } });
      },
    };
  }

  list(): readonly BuildRecord[] {
    this.#forgetOld();
    return [...this.#records.values()].map((record) => this.#current(record)).toSorted((left, right) => right.startedMs - left.startedMs);
  }

  inspect(id: string): BuildRecord {
    this.#forgetOld();
    return this.#current(this.#find(id));
  }

  async *events(id: string, { signal }: Abortable = {}): AsyncIterable<TimedBuildEvent> {
    const { id: whole } = this.#find(id);
    const recording = this.#recordings.get(whole);
    const packed = recording === undefined ? this.#rows.log(whole) : undefined;
    if (recording !== undefined) yield* recording.follow(signal);
    else if (packed !== undefined) yield* unpackEvents(packed);
  }

  keep(id: string, isKept: boolean): void {
    const record = this.#find(id);
    if (record.isKept === isKept) return;
    const kept = [...this.#records.values()].filter((each) => each.isKept).length;
    if (isKept && kept >= mostKept)
      throw exhausted(`${kept} builds are kept already`, { hint: 'remove some, or let them go by and by as others do' });
    const changed = { ...record, isKept };
    this.#records.set(record.id, changed);
    if (!this.#recordings.has(record.id)) this.#rows.change(record.id, JSON.stringify(changed));
    this.#tell('changed', changed);
  }

  remove(id: string): void {
    const record = this.#find(id);
    if (record.status === 'running') throw conflict(`build ${record.id} still runs`, { hint: 'end whoever builds it, then remove it' });
    this.#forget([record]);
  }

  listen(listener: (change: BuildRecordChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.dispose](): void {
    this.#write();
  }

  #find(id: string): BuildRecord {
    const exact = this.#records.get(id);
    if (exact !== undefined) return exact;
    const found = id === '' ? [] : [...this.#records.values()].filter((record) => record.id.startsWith(id));
    if (found.length > 1) throw invalidArgument(`${found.length} builds begin with ${id}`);
    const [only] = found;
    if (only === undefined) throw notFound(`no such build: ${id.slice(0, 128)}`);
    return only;
  }

  #current(record: BuildRecord): BuildRecord {
    return record.status === 'running' ? { ...record, ...this.#recordings.get(record.id)?.counted } : record;
  }

  #forgetOld(): void {
    const over = [...this.#records.values()].filter(({ status, isKept }) => status !== 'running' && !isKept);
    const latest = over.toSorted((left, right) => (right.endedMs ?? 0) - (left.endedMs ?? 0));
    this.#forget(latest.filter(({ endedMs = 0 }, at) => at >= mostRecords || Date.now() - endedMs > oldestMs));
  }

  #forget(records: readonly BuildRecord[]): void {
    if (records.length === 0) return;
    for (const { id } of records) {
      this.#records.delete(id);
      this.#recordings.delete(id);
      this.#unwritten.delete(id);
    }
    try {
      this.#rows.remove(records.map(({ id }) => id));
    } catch (error) {
      // They are forgotten again at the next start.
      this.#log.warn({ error: messageOf(error) }, 'old records of builds stay on the disk');
    }
    for (const record of records) this.#tell('removed', record);
  }

  #write(): void {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    this.#forgetOld();
    for (const id of this.#unwritten) {
      const [record, recording] = [this.#records.get(id), this.#recordings.get(id)];
      try {
        if (record !== undefined && recording !== undefined) this.#rows.put(id, JSON.stringify(record), packEvents(recording.all()));
      } catch (error) {
        this.#log.warn({ build: id, error: messageOf(error) }, 'what a build told could not be kept');
      }
      this.#recordings.delete(id);
    }
    this.#unwritten.clear();
  }

  #tell(kind: BuildRecordChange['kind'], record: BuildRecord): void {
    for (const listener of this.#listeners) listener({ kind, record });
  }
}

/** Undefined: what is there is no record. */
function recordOf(document: string): BuildRecord | undefined {
  try {
    return JSON.parse(document) as BuildRecord;
  } catch {
    return undefined;
  }
}

const mostFactsBytes = 64 * 1024;

/** Clients may say as much as they like; what is more than anybody looks at is not kept. */
function bounded<T extends Readonly<Record<string, unknown>>>(facts: T): T | Record<string, never> {
  return JSON.stringify(facts).length > mostFactsBytes ? {} : facts;
}
