import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataLoss, GantryError, releasing, unavailable } from '@gantry/sdk';
import type { Content, Ingested } from '../../content/index.ts';
import type { Descriptor } from '../archive/descriptor.ts';
import { Turns } from '../../support/index.ts';
import { IngestWriter } from '../archive/ingest-writer.ts';
import type { RegistryCall } from './registry-call.ts';

/** At once from one registry, of all pulls together: one that is slow keeps nobody from another. */
const maxAtOnce = 3;
const attempts = 5;
const firstPauseMs = 250;

export interface DownloadProgress {
  /** For others that come from the same registry. */
  readonly waiting: () => void;
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
 * Blobs on their way in: each comes once from a registry, however many pulls want it, and is given up when nobody wants it any more. A connection that breaks is
 * taken up where it broke; bytes with the wrong digest are fetched once more from the beginning.
 */
export class Downloads {
  readonly #content: Content;
  readonly #running = new Map<string, Running>();
  /** By host. */
  readonly #turns = new Map<string, Turns>();

  constructor(content: Content) {
    this.#content = content;
  }

  begin(blob: Descriptor, call: RegistryCall, progress: DownloadProgress): Download {
    // What one registry says of a digest, and how it sends it, is nothing to those who ask another.
    const key = `${call.place.host} ${blob.digest} ${blob.size}`;
    const known = this.#running.get(key);
    const running = known ?? this.#start(key, blob, { call, progress });
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
        this.#forget(key, running.file);
        running.ending.abort();
        await Promise.allSettled([running.file]);
        await rm(running.path, { force: true });
      },
    };
  }

  #start(key: string, blob: Descriptor, { call, progress }: { readonly call: RegistryCall; readonly progress: DownloadProgress }): Running {
    const ending = new AbortController();
    const path = this.#content.newIngestPath();
    const watchers = new Set([progress]);
    const file = this.#download(blob, path, { call, watchers, signal: ending.signal });
    file.catch(() => this.#forget(key, file));
    const running = { path, file, ending, watchers, users: 0 };
    this.#running.set(key, running);
    return running;
  }

  async #download(blob: Descriptor, path: string, work: Work): Promise<Ingested> {
    const { host } = work.call.place;
    const turns = this.#turns.get(host) ?? new Turns(maxAtOnce);
    this.#turns.set(host, turns);
    if (turns.areTaken) for (const { waiting } of work.watchers) waiting();
    using _turn = await turns.take(work);
    return await download(blob, path, work);
  }

  /** Whoever asks next begins anew, unless somebody has begun already. */
  #forget(key: string, file: Promise<Ingested>): void {
    if (this.#running.get(key)?.file === file) this.#running.delete(key);
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
      const isBroken = GantryError.is(error) && error.reason === 'BLOB_INTERRUPTED';
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
  const { mediaType, digest, size, urls } = blob;
  const descriptor = { mediaType, digest, size, ...(urls === undefined ? {} : { urls }) };
  return call.driver.fetch({ ...call.place, descriptor, offset }, call.context(signal));
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
