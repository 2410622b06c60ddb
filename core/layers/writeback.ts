import { closeSync, fstatSync, openSync } from 'node:fs';
import { dataLoss } from '@gantry/sdk';
import { syncfsAside } from '@gantry/sdk/linux';

/** So much may wait for the sync that ends an operation: a fraction of a second for a disk, and small images are synced once only. */
const enoughBytes = 64 * 1024 * 1024;

/**
 * Has the disk work while an operation still goes on, so that little is left for the sync at its end. It is no replacement for that one,
 * which takes the same descriptor: a failed write is told once to each (syncfs(2)), so one that was opened before the first write misses
 * none. Disposing waits for what is running.
 */
export class Writeback implements AsyncDisposable {
  readonly fd: number;
  readonly device: number;
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #hasFailed = false;

  /** Any path of the file system. */
  constructor(path: string) {
    this.fd = openSync(path, 'r');
    this.device = fstatSync(this.fd).dev;
  }

  /** So much more is in the page cache. */
  written(sizeBytes: number): void {
    this.#waitingBytes += sizeBytes;
    if (this.#waitingBytes < enoughBytes || this.#running !== undefined || this.#hasFailed) return;
    this.#waitingBytes = 0;
    this.#running = this.#sync();
  }

  /** Resolves when nothing is running; `data_loss` when some of it could not be written. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    if (this.#hasFailed) throw dataLoss('the disk did not take what was written to it');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settled().catch(() => undefined); // told by whoever needs the bytes
    closeSync(this.fd);
  }

  async #sync(): Promise<void> {
    if ((await syncfsAside(this.fd)) !== 0) this.#hasFailed = true;
    this.#running = undefined;
    this.written(0);
  }
}
