import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { type Abortable, fromErrno } from '@gantry/sdk';
import type { Ingested } from '../../content/index.ts';
import { failpoint } from '../../support/index.ts';

const blockBytes = 1024 * 1024;
/** Blocks on their way to the disk before the producer has to wait. */
const maxInFlight = 4;

/**
 * Writes one file after the other in big blocks: bytes are taken synchronously, and while a thread of libuv writes a block this one
 * hashes it. `ready` is to be awaited between pieces of at most a block; it throws the first failure. Files are not synced.
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

  begin(path: string): void {
    const handle = open(path, 'wx', 0o600);
    handle.catch(() => undefined); // told by the first write
    this.#current = { path, hash: createHash('sha256'), handle, sizeBytes: 0 };
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
    this.#then(async () => (await current.handle).close());
    return { path: current.path, digest: `sha256:${current.hash.digest('hex')}`, sizeBytes: current.sizeBytes };
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
        if (this.#failure === undefined) await writeWhole(await current.handle, block.subarray(0, filled));
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
  sizeBytes: number;
}

async function writeWhole(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; ) written += (await file.write(bytes, written)).bytesWritten;
}
