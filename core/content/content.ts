import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Abortable, dataLoss, fromErrno, invalidArgument, notFound } from '@gantry/sdk';
import { failpoint, publishFile, Reserve, shortRandom, syncFolder } from '../support/index.ts';
import { checkedDigest, digestOf } from './digest.ts';

export interface Blob {
  readonly digest: string;
  readonly sizeBytes: number;
}
/** A whole file in the ingest folder that is to become a blob. */
export interface Ingested extends Blob {
  readonly path: string;
  /** Resolves when the disk has all of it; whoever wrote it has begun with that. Otherwise it is still to be synced. */
  readonly onDisk?: Promise<void>;
}
export interface IngestOptions extends Abortable {
  /** Refused with `invalid_argument` when the bytes have another one. */
  readonly digest?: string;
  readonly maxBytes?: number;
}

/**
 * Blobs by digest below `<dataRoot>/content`. A name in `blobs/sha256` means that the whole blob was on the disk before it got the name.
 * What is being written lies in `ingest` under a random name; what a crash leaves there is removed by `sweep`.
 */
export class Content {
  readonly #blobs: string;
  readonly #ingest: string;

  constructor(dataRoot: string) {
    this.#blobs = join(dataRoot, 'content', 'blobs', 'sha256');
    this.#ingest = join(dataRoot, 'content', 'ingest');
    mkdirSync(this.#blobs, { recursive: true, mode: 0o700 });
    mkdirSync(this.#ingest, { recursive: true, mode: 0o700 });
  }

  /** Where the blob is or would be; refuses what is no digest. */
  path(digest: string): string {
    return join(this.#blobs, checkedDigest(digest).slice('sha256:'.length));
  }

  has(digest: string): boolean {
    return existsSync(this.path(digest));
  }

  sizeOf(digest: string): number {
    return this.#reading(digest, () => statSync(this.path(digest)).size);
  }

  /** A small blob, checked against its digest: `data_loss` when the disk no longer holds what was stored. */
  readSmall(digest: string): Buffer {
    const bytes = this.#reading(digest, () => readFileSync(this.path(digest)));
    if (digestOf(bytes) !== digest) throw dataLoss(`blob ${digest} is damaged`);
    return bytes;
  }

  /** The first bytes, enough to tell what kind of file it is. */
  head(digest: string): Buffer {
    return this.#reading(digest, () => {
      const file = openSync(this.path(digest), 'r');
      try {
        const bytes = Buffer.alloc(512);
        return bytes.subarray(0, readSync(file, bytes));
      } finally {
        closeSync(file);
      }
    });
  }

  /** The blob's bytes as they are on the disk; whoever needs to know hashes them. Rejects with `not_found`, or `data_loss` where the disk cannot read them. */
  async *read(digest: string, options: Abortable = {}): AsyncGenerator<Buffer> {
    try {
      yield* createReadStream(this.path(digest), { highWaterMark: 1024 * 1024, ...options }) as AsyncIterable<Buffer>;
    } catch (error) {
      throw readFailure(error, digest);
    }
  }

  /** Reads the whole blob again; `data_loss` when it is not what its name says. */
  async verify(digest: string, options: Abortable = {}): Promise<void> {
    const hash = createHash('sha256');
    for await (const chunk of this.read(digest, options)) hash.update(chunk);
    if (`sha256:${hash.digest('hex')}` !== digest) throw dataLoss(`blob ${digest} is damaged`);
  }

  /** Stores a small blob, durable when it resolves; there already: nothing to do. */
  async put(bytes: Uint8Array | string): Promise<Blob> {
    const digest = digestOf(bytes);
    if (!this.has(digest)) {
      try {
        await publishFile(this.path(digest), bytes);
      } catch (error) {
        throw fromErrno(error, `store blob ${digest}`);
      }
    }
    return { digest, sizeBytes: typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length };
  }

  /** For files without a name, beside what they become. */
  get ingestFolder(): string {
    return this.#ingest;
  }

  /** A fresh path in the ingest folder, for whoever writes the bytes himself. */
  newIngestPath(): string {
    return join(this.#ingest, shortRandom());
  }

  /** Stores a stream, durable when it resolves. Abort, a wrong digest or too many bytes leave nothing. */
  async ingest(source: AsyncIterable<Buffer>, options: IngestOptions = {}): Promise<Blob> {
    const path = this.newIngestPath();
    try {
      const blob = await this.#write(path, source, options);
      failpoint('blob.rename');
      await rename(path, this.path(blob.digest));
      failpoint('blob.dirsync');
      await syncFolder(this.#blobs);
      return blob;
    } catch (error) {
      await rm(path, { force: true });
      throw fromErrno(error, 'store blob');
    }
  }

  /** Syncs files of the ingest folder and names them: blobs when it resolves. One folder sync for all of them. */
  async adopt(files: readonly Ingested[]): Promise<void> {
    await Promise.all(files.map((file) => file.onDisk ?? syncFile(file)));
    for (const { path, digest } of files) {
      failpoint('blob.rename');
      if (this.has(digest)) await rm(path, { force: true });
      else await rename(path, this.path(digest));
    }
    failpoint('blob.dirsync');
    if (files.length > 0) await syncFolder(this.#blobs);
  }

  /** Unknown: nothing. */
  async remove(digest: string): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  /** Puts a damaged blob aside, for whoever wants to look at it: the name is free for a good one. */
  async quarantine(digest: string): Promise<string> {
    const folder = join(dirname(this.#ingest), 'quarantine');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const aside = join(folder, basename(this.path(digest)));
    await rename(this.path(digest), aside);
    await syncFolder(this.#blobs);
    return aside;
  }

  list(): readonly string[] {
    return readdirSync(this.#blobs)
      .filter((name) => /^[0-9a-f]{64}$/.test(name))
      .map((name) => `sha256:${name}`);
  }

  /** Removes what crashes left: only safe while nothing is being ingested. */
  sweep(): void {
    for (const name of readdirSync(this.#ingest)) rmSync(join(this.#ingest, name), { force: true });
    for (const name of readdirSync(this.#blobs)) if (name.endsWith('.tmp')) rmSync(join(this.#blobs, name), { force: true });
  }

  async #write(path: string, source: AsyncIterable<Buffer>, { digest, maxBytes = Infinity, signal }: IngestOptions): Promise<Blob> {
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const reserve = new Reserve(this.#ingest);
    await using file: FileHandle = await open(path, 'wx', 0o600);
    for await (const chunk of source) {
      signal?.throwIfAborted();
      reserve.count(chunk.length);
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw invalidArgument(`blob of more than ${maxBytes} bytes`);
      hash.update(chunk);
      failpoint('blob.write');
      await file.writeFile(chunk);
    }
    const found = `sha256:${hash.digest('hex')}`;
    if (digest !== undefined && found !== digest) throw invalidArgument(`blob has digest ${found}, expected ${digest}`);
    failpoint('blob.fsync');
    await file.sync();
    return { digest: found, sizeBytes };
  }

  #reading<T>(digest: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw readFailure(error, digest);
    }
  }
}

async function syncFile({ path, digest }: Ingested): Promise<void> {
  try {
    await using file = await open(path, 'r');
    await file.sync();
  } catch (error) {
    throw fromErrno(error, `store blob ${digest}`);
  }
}

/** An abort stays what it is. */
function readFailure(error: unknown, digest: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  if ('code' in error && error.code === 'ENOENT') return notFound(`no such blob: ${digest}`, { cause: error });
  return fromErrno(error, `read blob ${digest}`);
}
