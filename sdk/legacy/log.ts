import { randomUUID } from 'node:crypto';
import { closeSync, constants, fstatSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { Records } from '../author/records.ts';
import { fromErrno, invalidArgument } from '../errors.ts';
import { readSome, unreadBytes, whenReadable } from '../linux/index.ts';
import type { LogDriver } from '../log/contract.ts';
import type { StateStore } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import { type Body, given, object } from './body.ts';
import type { Methods } from './http.ts';
import { decodeEntries, encodeEntry } from './log-entry.ts';
import { containerOf, idIn, wishOf } from './log-info.ts';
import { LogPump } from './log-pump.ts';

export interface LogFrontOptions {
  readonly driver: LogDriver;
  /** The front's own, not the plugin's. */
  readonly state: StateStore;
  /** A folder for each container is made in it. */
  readonly logDir: string;
  readonly ctx: (signal: AbortSignal) => Ctx;
}

/** How long `StopLogging` waits for the driver: a container's end must not wait for a sink that is away. */
const flushMs = 5_000;

/**
 * `LogDriver.*` over a driver: reads the pipe of each container and pumps it. A stream is on the disk before it is begun, and taken up again by the
 * next process of this plugin, since Docker says only once that it began.
 */
export class LogFront {
  readonly #options: LogFrontOptions;
  readonly #streams = new Map<string, Stream>();
  readonly #records: Records<Body>;

  constructor(options: LogFrontOptions) {
    this.#options = options;
    this.#records = new Records(options.state, 'stream/');
  }

  readonly methods: Methods = {
    'LogDriver.Capabilities': async () => ({ Cap: { ReadLogs: this.#options.driver.read !== undefined } }),
    'LogDriver.StartLogging': async (body, signal) => {
      const { driver, ctx } = this.#options;
      const file = fileIn(body);
      const info = object(body, 'Info');
      await driver.validate({ options: this.#container(info).options }, ctx(signal));
      await this.#records.update(file, () => info);
      await this.#start(file, info);
    },
    'LogDriver.StopLogging': async (body) => {
      const file = fileIn(body);
      await this.#stop(file);
      await this.#records.update(file, () => undefined);
    },
    'LogDriver.ReadLogs': async (body, signal) => this.#read(body, signal),
  };

  /** Streams whose pipe is still there go on. */
  async recover(): Promise<void> {
    for (const { id: file, value: info } of await this.#records.list()) {
      try {
        await this.#start(file, info);
      } catch {
        await this.#records.update(file, () => undefined);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#streams.keys()].map((file) => this.#stop(file)));
  }

  /** Started already: nothing to do. */
  async #start(file: string, info: Body): Promise<void> {
    if (this.#streams.has(file)) return;
    const { driver, ctx } = this.#options;
    const pipe = openPipe(file);
    const pump = new LogPump({ driver, ctx, open: { streamId: randomUUID(), ...this.#container(info) } });
    this.#streams.set(file, new Stream(pipe, pump, ctx));
  }

  async #stop(file: string): Promise<void> {
    const stream = this.#streams.get(file);
    this.#streams.delete(file);
    await stream?.[Symbol.asyncDispose]();
  }

  async *#read(body: Body, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { driver, ctx } = this.#options;
    const request = { ...this.#container(object(body, 'Info')), ...wishOf(body), stdout: true, stderr: true };
    for await (const { entries } of driver.read?.(request, ctx(signal)) ?? []) {
      const framed = entries.map((entry) => {
        const { line, partial } = entry;
        return encodeEntry(partial ? entry : { ...entry, line: Buffer.concat([line, newline]) }, partial ? somePiece : undefined);
      });
      if (framed.length > 0) yield Buffer.concat(framed);
    }
  }

  #container(info: Body): ReturnType<typeof containerOf> {
    const dir = join(this.#options.logDir, idIn(info));
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return containerOf(info, dir);
  }
}

/** A line ends with its newline for Docker's readers, and one that does not goes on. */
const newline = Buffer.from('\n');
const somePiece = { id: '0', ordinal: 1, isLast: false } as const;

/** One container's pipe on its way to the driver, until it is disposed of: then what is in the pipe is still read. */
class Stream implements AsyncDisposable {
  readonly #pipe: number;
  readonly #pump: LogPump;
  readonly #stopping = new AbortController();
  readonly #ctx: Ctx;
  readonly #reading: Promise<void>;

  constructor(pipe: number, pump: LogPump, ctx: LogFrontOptions['ctx']) {
    this.#pipe = pipe;
    this.#pump = pump;
    this.#ctx = ctx(this.#stopping.signal);
    this.#reading = this.#readAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    const late = AbortSignal.timeout(flushMs);
    await Promise.race([this.#reading, new Promise((resolve) => late.addEventListener('abort', resolve))]);
    const lost = await this.#pump.close(flushMs);
    if (lost > 0) this.#ctx.log.warn({ entries: lost }, 'log entries were lost: the driver did not take them in time');
    await this.#reading;
    closeSync(this.#pipe);
  }

  async #readAll(): Promise<void> {
    try {
      for await (const entries of decodeEntries(this.#chunks())) await this.#pump.add(entries);
    } catch (error) {
      this.#ctx.log.warn({ err: error }, 'the pipe of a log has something else in it');
    }
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    const { signal } = this.#stopping;
    for (;;) {
      const into = Buffer.allocUnsafe(64 * 1024);
      const count = readSome(this.#pipe, into);
      if (typeof count === 'number' && count > 0) yield into.subarray(0, count);
      else if (signal.aborted && unreadBytes(this.#pipe) === 0) return;
      else await whenReadable(this.#pipe, { signal }).catch(() => {});
    }
  }
}

/** For writing as well, so that it does not end while nobody writes: the engine says when it does. */
function openPipe(file: string): number {
  let pipe: number;
  try {
    pipe = openSync(file, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    throw fromErrno(error, `open ${file}`);
  }
  if (fstatSync(pipe).isFIFO()) return pipe;
  closeSync(pipe);
  throw invalidArgument(`${file} is no pipe`);
}

function fileIn(body: Body): string {
  const file = given(body, 'File');
  if (!file.startsWith('/')) throw invalidArgument(`File ${JSON.stringify(file.slice(0, 300))} is no absolute path`);
  return file;
}
