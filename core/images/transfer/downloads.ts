import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataLoss, GantryError, releasing, unavailable } from '@gantry/sdk';
import type { Content, Ingested } from '../../content/index.ts';
import type { Descriptor } from '../archive/descriptor.ts';
import { IngestWriter } from '../archive/ingest-writer.ts';
import type { RegistryCall } from './registry-call.ts';

/** At once, of all pulls together. */
const maxAtOnce = 3;
const attempts = 5;
const firstPauseMs = 250;

export interface DownloadProgress {
  readonly began: () => void;
  readonly arrived: (bytes: number) => void;
  readonly retrying: (pauseMs: number) => void;
}

/** A file that one or several pulls wait for; the last one to be done with it removes what nobody made a blob of. */
export interface Download extends AsyncDisposable {
  readonly file: Promise<Ingested>;
  /** Whoever asked first: the others need not do what follows as well. */
  readonly isFirst: boolean;
}

/**
 * Blobs on their way in: each comes once, however many pulls want it, and is given up when nobody wants it any more. A connection that breaks is
 * taken up where it broke; bytes with the wrong digest are fetched once more from the beginning.
 */
export class Downloads {
  readonly #content: Content;
  readonly #running = new Map<string, Running>();
  readonly #waiting: (() => void)[] = [];
  #free = maxAtOnce;

  constructor(content: Content) {
    this.#content = content;
  }

  begin(blob: Descriptor, call: RegistryCall, progress: DownloadProgress): Download {
    const { digest } = blob;
    const known = this.#running.get(digest);
    const running = known ?? this.#start(blob, call);
    running.users += 1;
    running.watchers.add(progress);
    const file = aborted(running.file, call.signal);
    file.catch(() => undefined); // told by whoever waits for it
    return {
      file,
      isFirst: known === undefined,
      [Symbol.asyncDispose]: async () => {
        running.watchers.delete(progress);
        running.users -= 1;
        if (running.users > 0) return;
        if (this.#running.get(digest) === running) this.#running.delete(digest);
        running.ending.abort();
        await Promise.allSettled([running.file]);
        await rm(running.path, { force: true });
      },
    };
  }

  #start(blob: Descriptor, call: RegistryCall): Running {
    const ending = new AbortController();
    const path = this.#content.newIngestPath();
    const watchers = new Set<DownloadProgress>();
    const file = this.#turn(ending.signal, () => download(blob, path, { call, watchers, signal: ending.signal }));
    file.catch(() => this.#running.delete(blob.digest));
    const running = { path, file, ending, watchers, users: 0 };
    this.#running.set(blob.digest, running);
    return running;
  }

  async #turn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

interface Running {
  readonly path: string;
  readonly file: Promise<Ingested>;
  readonly ending: AbortController;
  readonly watchers: Set<DownloadProgress>;
  users: number;
}
interface Work {
  readonly call: RegistryCall;
  readonly watchers: ReadonlySet<DownloadProgress>;
  readonly signal: AbortSignal;
}

async function download(blob: Descriptor, path: string, work: Work): Promise<Ingested> {
  try {
    return await downloadOnce(blob, path, work);
  } catch (error) {
    if (!GantryError.is(error) || error.code !== 'data_loss') throw error;
    await rm(path, { force: true });
    return await downloadOnce(blob, path, work);
  }
}

async function downloadOnce(blob: Descriptor, path: string, work: Work): Promise<Ingested> {
  await using writer = new IngestWriter();
  writer.begin(path);
  for (const { began } of work.watchers) began();
  let offset = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      for await (const chunk of releasing(chunksFrom(blob, offset, work))) {
        work.signal.throwIfAborted();
        writer.write(chunk);
        offset += chunk.length;
        for (const { arrived } of work.watchers) arrived(offset);
        await writer.ready();
      }
      break;
    } catch (error) {
      const isBroken = GantryError.is(error) && error.code === 'unavailable';
      if (!isBroken) throw error;
      if (attempt === attempts)
        throw unavailable(`blob ${blob.digest}: it broke off ${attempts} times, the last time after ${offset} of ${blob.size} bytes`, {
          cause: error,
        });
      const pauseMs = firstPauseMs * 2 ** (attempt - 1);
      for (const { retrying } of work.watchers) retrying(pauseMs);
      await sleep(pauseMs, undefined, { signal: work.signal });
    }
  }
  const file = writer.end();
  await writer.settled();
  if (file.digest !== blob.digest || file.sizeBytes !== blob.size)
    throw dataLoss(`filesystem layer verification failed for digest ${blob.digest}: it came as ${file.digest} of ${file.sizeBytes} bytes`);
  return file;
}

function chunksFrom(blob: Descriptor, offset: number, { call, signal }: Work): AsyncIterable<Buffer> {
  const { mediaType, digest, size } = blob;
  return call.driver.fetch({ ...call.place, descriptor: { mediaType, digest, size }, offset }, call.context(signal));
}

/** The same, for one who may stop waiting before the others do. */
async function aborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
