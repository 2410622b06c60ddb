import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const reserveBytes = 512 * 1024;
const scarceBytes = 4 * reserveBytes;

/** A file that only takes room: given up on a full disk, so that what makes room again can still be recorded. */
export class Reserve {
  readonly #path: string;
  #isThere: boolean;

  constructor(path: string) {
    this.#path = path;
    this.#isThere = existsSync(path);
  }

  /** Whether the disk is so full that the reserve is needed rather than taken. */
  get isScarce(): boolean {
    const { bavail, bsize } = statfsSync(dirname(this.#path));
    return bavail * bsize < scarceBytes;
  }

  /** Takes the room unless it has it. On a disk that is about full it takes none: false. */
  take(): boolean {
    if (this.#isThere) return true;
    if (this.isScarce) return false;
    try {
      const file = openSync(this.#path, 'wx', 0o600);
      try {
        writeSync(file, Buffer.alloc(reserveBytes, 0xff));
        this.#isThere = true;
      } finally {
        closeSync(file);
      }
    } catch {
      rmSync(this.#path, { force: true });
    }
    return this.#isThere;
  }

  /** False: there was none to give up. */
  giveUp(): boolean {
    if (!this.#isThere) return false;
    rmSync(this.#path, { force: true });
    this.#isThere = false;
    return true;
  }
}
