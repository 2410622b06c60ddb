import { closeSync, constants, openSync } from 'node:fs';
import { isErrno, mknod } from '@gantry/sdk/linux';
import { RateLimit } from './rate-limit.ts';
import { Stream } from './stream.ts';

/**
 * A named pipe for what a program prints that outlives its reader. The program's end is open for reading too, so that it is told of no broken pipe while nobody
 * reads, and does not block: what nobody reads for 64 KiB is lost.
 */
export function openFifoWriter(path: string): number {
  try {
    mknod(path, constants.S_IFIFO | 0o600);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
  return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
}

/** Reads such a pipe as lines, within the same limits as a plugin's output. */
export class FifoReader implements Disposable {
  readonly #limit: RateLimit;
  readonly #stream: Stream;

  constructor(path: string, onLine: (line: string) => void) {
    this.#limit = new RateLimit(onLine);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      this.#stream = new Stream(reader, this.#limit, onLine);
    } catch (error) {
      closeSync(reader);
      throw error;
    }
  }

  /** Reads what is there, for when the program has ended. */
  drain(): void {
    this.#stream.drain();
  }

  [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]();
    this.#limit[Symbol.dispose]();
  }
}
