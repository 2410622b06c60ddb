import { closeSync, existsSync, openSync, rmSync, writeSync } from 'node:fs';

const reserveBytes = 512 * 1024;

/** A file that only takes room: given up on a full disk, so that what makes room again can still be recorded. */
export class Reserve {
  readonly #path: string;
  #isThere: boolean;

  constructor(path: string) {
    this.#path = path;
    this.#isThere = existsSync(path);
    this.take();
  }

  /** Takes the room unless it has it; a disk that has none is no failure. */
  take(): void {
    if (this.#isThere) return;
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
  }

  /** False: there was none to give up. */
  giveUp(): boolean {
    if (!this.#isThere) return false;
    rmSync(this.#path, { force: true });
    this.#isThere = false;
    return true;
  }
}
