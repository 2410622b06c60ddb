import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Abortable, fromErrno } from '@gantry/sdk';
import type { Ingested } from '../../content/index.ts';
import { failpoint, Reserve } from '../../support/index.ts';

const blockBytes = 1024 * 1024;
/** So much of a file is in the page cache before the disk is given work, while more arrives. */
const syncBytes = 64 * 1024 * 1024;
/** Blocks on their way to the disk before the producer has to wait. */
const maxInFlight = 4;

/**
 * Writes one file after the other in big blocks: bytes are taken synchronously, and while a thread of libuv writes a block this one
 * hashes it. `ready` is to be awaited between pieces of at most a block; it throws the first failure. Files are synced as they grow, and
 * nobody waits for that but who needs them on the disk.
 */
export class IngestWriter implements AsyncDisposable {
  readonly #spare: Buffer[] = [];
  #current: Current | undefined;
  #block: Buffer | undefined;
  #filled = 0;
  #inFlight = 0;
  #tail: Promise<void> = Promise.resolve();
  #wake: () => void = () => undefined;
  #failure: unknown;
  readonly #finished: Promise<void>[] = [];

  begin(path: string): void {
    const handle = open(path, 'wx', 0o600);
    handle.catch(() => undefined); // told by the first write
    this.#current = {
      path,
      hash: createHash('sha256'),
      handle,
      reserve: new Reserve(dirname(path)),
      sizeBytes: 0,
      unsyncedBytes: 0,
      sync: Promise.resolve(),
    };
  }

  write(piece: Buffer): void {
    for (let taken = 0; taken < piece.length; ) {
      this.#block ??= this.#spare.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
      const copied = piece.copy(this.#block, this.#filled, taken);
      taken += copied;
      this.#filled += copied;
      if (this.#filled === blockBytes) this.#flush();
    }
  }

  /** The file that was begun; its bytes are in it once `settled`. */
  end(): Ingested {
    this.#flush();
    const current = this.#current;
    if (current === undefined) throw new Error('no file was begun');
    this.#current = undefined;
    const onDisk = this.#tail.then(() => finish(current));
    onDisk.catch(() => undefined); // told by whoever needs the file on the disk
    this.#finished.push(onDisk);
    return { path: current.path, digest: `sha256:${current.hash.digest('hex')}`, sizeBytes: current.sizeBytes, onDisk };
  }

  async ready(): Promise<void> {
    while (this.#inFlight > maxInFlight) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#throwFailure();
  }

  async settled(): Promise<void> {
    await this.#tail;
    this.#throwFailure();
  }

  /** Closes what is open; the files stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    const handle = this.#current?.handle;
    this.#current = undefined;
    await this.#tail;
    if (handle !== undefined) await handle.then((file) => file.close()).catch(() => undefined);
    await Promise.allSettled(this.#finished);
  }

  #flush(): void {
    const [block, filled, current] = [this.#block, this.#filled, this.#current];
    if (block === undefined || current === undefined) return;
    this.#block = undefined;
    this.#filled = 0;
    current.sizeBytes += filled;
    this.#inFlight += 1;
    this.#then(async () => {
      try {
        failpoint('load.member');
        current.reserve.count(filled);
        if (this.#failure === undefined) await writeWhole(await current.handle, block.subarray(0, filled));
        current.unsyncedBytes += filled;
        if (current.unsyncedBytes >= syncBytes) sync(current);
      } finally {
        this.#inFlight -= 1;
        this.#spare.push(block);
        this.#wake();
      }
    });
    // Earlier blocks are being written by other threads meanwhile.
    current.hash.update(block.subarray(0, filled));
  }

  #then(step: () => Promise<void>): void {
    this.#tail = this.#tail.then(step).catch((error: unknown) => {
      this.#failure ??= error;
    });
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw fromErrno(this.#failure, 'write to the ingest folder');
  }
}

/** A whole stream as one new file. */
export async function writeIngest(path: string, source: AsyncIterable<Buffer>, { signal }: Abortable = {}): Promise<Ingested> {
  await using writer = new IngestWriter();
  writer.begin(path);
  for await (const chunk of source) {
    signal?.throwIfAborted();
    writer.write(chunk);
    await writer.ready();
  }
  signal?.throwIfAborted();
  const file = writer.end();
  await writer.settled();
  return file;
}

interface Current {
  readonly path: string;
  readonly hash: Hash;
  readonly handle: Promise<FileHandle>;
  readonly reserve: Reserve;
  sizeBytes: number;
  unsyncedBytes: number;
  /** Rejects when the disk did not take something. */
  sync: Promise<void>;
}

function sync(file: Current): void {
  file.unsyncedBytes = 0;
  file.sync = file.sync.then(async () => (await file.handle).datasync());
  file.sync.catch(() => undefined); // told at the end
}

async function finish(file: Current): Promise<void> {
  const handle = await file.handle;
  try {
    sync(file);
    await file.sync;
  } catch (error) {
    throw fromErrno(error, `store blob of ${file.sizeBytes} bytes`);
  } finally {
    await handle.close();
  }
}

async function writeWhole(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; ) written += (await file.write(bytes, written)).bytesWritten;
}
