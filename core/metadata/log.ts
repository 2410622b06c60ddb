import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { fromErrno } from '@gantry/sdk';

/**
 * SQLite's write-ahead log, for who waits until the disk has it. By fdatasync(2): SQLite as Node builds it calls fsync(2), which on ext4 also waits for everything else
 * that the journal holds just then, such as the inodes of a tree of files that was copied. The log is written over in place, so that its own seldom are among them.
 */
export class Log implements Disposable {
  readonly #path: string;
  #file: number | undefined;
  #failure: unknown;

  /** The file is there once the first transaction was. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Throws when the disk did not take it: nobody knows then what it has, so nothing more is written. */
  sync(): void {
    try {
      this.#file ??= openSync(this.#path, 'r');
      fdatasyncSync(this.#file);
    } catch (error) {
      this.#failure = error;
      this.mustBeWhole();
    }
  }

  /** As `sync`, while this thread goes on. */
  async syncAside(): Promise<void> {
    try {
      this.#file ??= openSync(this.#path, 'r');
      await fdatasyncAside(this.#file);
    } catch (error) {
      this.#failure = error;
      this.mustBeWhole();
    }
  }

  /** Throws what `sync` threw once. */
  mustBeWhole(): void {
    if (this.#failure !== undefined) throw fromErrno(this.#failure, 'write the metadata store');
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

const fdatasyncAside = promisify(fdatasync);
