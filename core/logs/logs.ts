import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Abortable, type Logger, messageOf, notImplemented } from '@gantry/sdk';
import type { LogLine, LogQuery, LogStream } from '@gantry/sdk/engine';
import type { Entry, LogDriver, LogTime, ReadRequest, ReadResponse } from '@gantry/sdk/log';
import { driverContext, type Drivers } from '../drivers/index.ts';
import { type Database, LogCursors } from '../metadata/index.ts';
import { anySignal } from '../support/index.ts';
import { cacheOf, withoutCache } from './cache.ts';
import { toLines } from './lines.ts';
import { Pump } from './pump.ts';
import { attributesOf, readSpool } from './read-spool.ts';
import { Segments } from './segments.ts';
import type { ContainerLogs, LoggedContainer, OutputQuery } from './types.ts';
import { beginningAt, beginningOf, followSpool, justBefore } from './whole-output.ts';
import { untilAborted } from './until-aborted.ts';

export interface LogsOptions {
  readonly database: Database;
  readonly drivers: Drivers;
  readonly dataRoot: string;
  readonly log: Logger;
  /** Per container; 64 MiB unless given. */
  readonly spoolMaxBytes?: number;
}

const defaultSpoolMaxBytes = 64 * 1024 * 1024;
/**
 * The monitor's own limit, which holds while no engine runs. Far above ours: conmon counts what it wrote since it began, whoever cut the file
 * meanwhile, so its cut may come right after one of ours, and of two cuts between two looks the output in between would be lost.
 */
const monitorFactor = 64;
const drainMs = 5_000;
const longestTimerMs = 2 ** 31 - 1;
/** How long a query waits for a slow driver to take what was written so far. */
const catchUpMs = 2_000;

/** Where containers' output goes, and how it is read again. */
export class Logs implements ContainerLogs, AsyncDisposable {
  readonly #options: LogsOptions;
  readonly #cursors: LogCursors;
  readonly #pumps = new Map<string, Pump>();
  readonly #next = new Map<string, LoggedContainer>();

  constructor(options: LogsOptions) {
    this.#options = options;
    this.#cursors = new LogCursors(options.database);
  }

  get #maxBytes(): number {
    return this.#options.spoolMaxBytes ?? defaultSpoolMaxBytes;
  }

  async validate(name: string, options: Readonly<Record<string, string>>): Promise<void> {
    const driver = await this.#driver(name);
    cacheOf(options);
    await driver.validate({ options: withoutCache(options) }, this.#context());
  }

  spool(containerId: string): { readonly dir: string; readonly maxBytes: number } {
    const last = this.#pumps.get(containerId);
    if (last?.isFinishing === true) last.leaveSpool();
    const dir = this.#spoolDir(containerId);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return { dir, maxBytes: this.#maxBytes * monitorFactor };
  }

  /** Containers with output that may not be delivered yet: those that ended while nobody watched get `start` and `stop` once more. */
  undelivered(): readonly string[] {
    const root = join(this.#options.dataRoot, 'spool');
    try {
      return readdirSync(root).filter((id) => readdirSync(join(root, id)).length > 0);
    } catch {
      return [];
    }
  }

  start(container: LoggedContainer): void {
    const { id } = container.info;
    const running = this.#pumps.get(id);
    if (running !== undefined && !running.isFinishing) return;
    if (running !== undefined) return this.#startAfter(running, container);
    const { dir } = this.spool(id);
    const maxBytes = this.#maxBytes;
    const driver = () => this.#driver(container.driver);
    const pump = new Pump({ container, spoolDir: dir, maxBytes, cursors: this.#cursors, driver, log: this.#options.log });
    this.#pumps.set(id, pump);
    void this.#forget(id, pump);
  }

  async stop(containerId: string): Promise<void> {
    const pump = this.#pumps.get(containerId);
    if (pump === undefined) return;
    const hasNext = this.#next.has(containerId);
    const finished = pump.finish();
    await within(drainMs, hasNext ? finished.then(() => this.#pumps.get(containerId)?.finish()) : finished);
  }

  async query(container: LoggedContainer, query: LogQuery, running: () => boolean): Promise<LogStream> {
    query.signal?.throwIfAborted();
    const read = await this.#readerOf(container);
    if (read === undefined && cacheOf(container.options).isDisabled) throw unreadable();
    const isRunning = running();
    if (isRunning) this.start(container);
    // The spool has everything, whether its driver takes it or not.
    if (read === undefined) this.#pumps.get(container.info.id)?.segments.refresh();
    else await this.#settle(container.info.id, isRunning, query);
    const follow = query.follow === true && running();
    const found =
      read === undefined
        ? { attributes: attributesOf(container), entries: this.#fromSpool(container.info.id, { ...query, follow }, running) }
        : await this.#fromDriver(read, container, { ...query, follow });
    const entries = follow && query.until !== undefined ? endingAt(found.entries, query.until) : found.entries;
    return { tty: container.tty, attributes: found.attributes, lines: lines(entries) };
  }

  async *output(container: LoggedContainer, { ended, ...query }: OutputQuery): AsyncGenerator<readonly LogLine[]> {
    const read = await this.#readerOf(container);
    if (read === undefined && cacheOf(container.options).isDisabled) throw unreadable();
    this.start(container);
    const pump = this.#pumps.get(container.info.id);
    if (pump === undefined) return;
    try {
      using _held = pump.hold();
      pump.segments.refresh();
      const isAll = (pump.segments.oldest ?? pump.segments.nextNumber) === 1;
      const spool = followSpool(pump, { ...query, ended });
      if (read === undefined || isAll) yield* lines(spool);
      else {
        const beginning = beginningOf(pump);
        const { entries } = await this.#fromDriver(read, container, { ...query, until: justBefore(beginning) });
        yield* lines(entries);
        yield* lines(beginningAt(beginning, pump, spool));
      }
    } finally {
      this.#emptyLater(container, pump);
    }
  }

  async path(container: LoggedContainer): Promise<string> {
    const driver = await this.#driver(container.driver);
    return (await driver.path?.({ container: container.info }, this.#context()))?.path ?? '';
  }

  async purge(container: LoggedContainer): Promise<void> {
    const { id } = container.info;
    this.#next.delete(id);
    await this.#pumps.get(id)?.abandon();
    this.#pumps.delete(id);
    this.#cursors.remove(id);
    rmSync(this.#spoolDir(id), { recursive: true, force: true });
    try {
      const driver = await this.#driver(container.driver);
      await driver.purge?.({ container: container.info }, this.#context());
    } catch (error) {
      // A plugin that is gone keeps no container from being removed.
      this.#options.log.warn({ container: id, driver: container.driver, error: messageOf(error) }, 'log driver did not purge');
    }
  }

  /** Lets all pumps go; containers write on into their spools. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#next.clear();
    await Promise.all([...this.#pumps.values()].map((pump) => pump.abandon()));
    this.#cursors[Symbol.dispose]();
  }

  /** The last run's output is still on its way: this run's follows it, from the same files. */
  #startAfter(pump: Pump, container: LoggedContainer): void {
    pump.leaveSpool();
    this.#next.set(container.info.id, container);
  }

  /** The pump ended while somebody read, and left the files. */
  #emptyLater(container: LoggedContainer, pump: Pump): void {
    const { id } = container.info;
    if (!pump.hasEnded || this.#pumps.has(id) || !this.undelivered().includes(id)) return;
    this.start(container);
    void this.stop(id);
  }

  async #forget(id: string, pump: Pump): Promise<void> {
    await pump.ended;
    if (this.#pumps.get(id) === pump) this.#pumps.delete(id);
    const next = this.#next.get(id);
    this.#next.delete(id);
    if (next !== undefined) this.start(next);
  }

  /** Waits until the driver has what the container wrote before the question. */
  async #settle(id: string, isRunning: boolean, { signal }: Abortable): Promise<void> {
    const pump = this.#pumps.get(id);
    if (pump === undefined) return;
    if (isRunning) await within(catchUpMs, Promise.race([pump.opened.then(() => pump.caughtUp()), pump.ended]), signal);
    else await within(drainMs, Promise.race([pump.isFinishing ? pump.ended : pump.caughtUp(), pump.ended]), signal);
  }

  /** Undefined: the spool is read instead, since the driver cannot, or is not there while the spool still has everything. */
  async #readerOf({ info: { id }, driver: name }: LoggedContainer): Promise<Required<LogDriver>['read'] | undefined> {
    try {
      const driver = await this.#driver(name);
      return driver.read?.bind(driver);
    } catch (error) {
      const { oldest = 1 } = this.#pumps.get(id)?.segments ?? new Segments(this.#spoolDir(id));
      if (oldest > 1) throw error;
      this.#options.log.warn({ container: id, driver: name, error: messageOf(error) }, 'log driver is not there: read from the spool');
      return undefined;
    }
  }

  async #fromDriver(read: Required<LogDriver>['read'], container: LoggedContainer, query: LogQuery): Promise<FoundEntries> {
    const { stdout, stderr, follow = false, since, until, tail } = query;
    const request: ReadRequest = {
      container: container.info,
      options: withoutCache(container.options),
      follow,
      stdout,
      stderr,
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
      ...(tail === undefined ? {} : { tail }),
    };
    const left = new AbortController();
    const signal = anySignal(left.signal, query.signal);
    const answers = untilAborted(read(request, driverContext(this.#options.log, signal)), query.signal);
    // The first answer comes at once and says whether the driver can read at all.
    const first = await answers.next();
    const answer = first.done === true ? undefined : first.value;
    return { attributes: answer?.attributes ?? {}, entries: entriesOf(answer, answers, left) };
  }

  #fromSpool(id: string, query: LogQuery, running: () => boolean): AsyncGenerator<readonly Entry[]> {
    const pump = this.#pumps.get(id);
    const segments = pump?.segments ?? new Segments(this.#spoolDir(id));
    let hasEnded = pump === undefined;
    void pump?.ended.then(() => (hasEnded = true));
    const changed = (): Promise<void> => {
      if (pump === undefined) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      const watching = pump.watch(() => {
        watching[Symbol.dispose]();
        resolve();
      });
      query.signal?.addEventListener('abort', () => resolve(), { once: true });
      return promise;
    };
    return readSpool({ segments, changed, isComplete: () => hasEnded || (pump?.isFinishing === true && !running()) }, query);
  }

  #driver(name: string): Promise<LogDriver> {
    return this.#options.drivers.get('log', name);
  }

  #spoolDir(containerId: string): string {
    return join(this.#options.dataRoot, 'spool', containerId);
  }

  #context() {
    return driverContext(this.#options.log);
  }
}

function unreadable(): Error {
  return notImplemented('configured logging driver does not support reading');
}

interface FoundEntries {
  readonly attributes: Readonly<Record<string, string>>;
  readonly entries: AsyncIterable<readonly Entry[]>;
}

async function* lines(source: AsyncIterable<readonly Entry[]>): AsyncGenerator<readonly LogLine[]> {
  for await (const entries of source) if (entries.length > 0) yield toLines(entries);
}

async function* entriesOf(
  first: ReadResponse | undefined,
  rest: AsyncGenerator<ReadResponse>,
  left: AbortController,
): AsyncGenerator<readonly Entry[]> {
  try {
    if (first !== undefined) yield first.entries;
    for await (const { entries } of rest) yield entries;
  } finally {
    left.abort(new DOMException('the reader left', 'AbortError'));
    await rest.return(undefined);
  }
}

/** A follow ends by the clock, too, when nothing comes. */
async function* endingAt<T>(source: AsyncIterable<T>, until: LogTime): AsyncGenerator<T> {
  const remainingMs = until.seconds * 1e3 + until.nanos / 1e6 - Date.now();
  const signal = AbortSignal.timeout(Math.min(Math.max(Math.ceil(remainingMs), 0), longestTimerMs));
  try {
    yield* untilAborted(source, signal);
  } catch (error) {
    if (error !== signal.reason) throw error;
  }
}

/** Waits, but not for ever and not after the signal; the reason of a failure is not its business. */
async function within(durationMs: number, work: Promise<unknown>, signal?: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, durationMs);
  const abort = (): void => resolve();
  signal?.addEventListener('abort', abort, { once: true });
  work.then(
    () => resolve(),
    () => resolve(),
  );
  await promise;
  clearTimeout(timer);
  signal?.removeEventListener('abort', abort);
  signal?.throwIfAborted();
}
