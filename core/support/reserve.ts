import { statfsSync } from 'node:fs';

/** Of a file system, whichever is less: for records, logs, and whoever has to make room. */
const kept = { share: 0.05, bytes: 2 ** 30 };
/** How much is written between two looks at what is free. */
const stepBytes = 16 * 2 ** 20;

/** Keeps what comes from outside from filling a file system: little that decompresses to much would do so for everybody on it. */
export class Reserve {
  readonly #path: string;
  #unseenBytes = 0;

  /** PATH: a folder of the file system. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Before or after so much is written. Less than the reserve is free: ENOSPC, as if there were none. */
  count(bytes: number): void {
    this.#unseenBytes += bytes;
    if (this.#unseenBytes < stepBytes) return;
    this.#unseenBytes = 0;
    const { bavail, blocks, bsize } = statfsSync(this.#path);
    const wanted = Math.min(blocks * bsize * kept.share, kept.bytes);
    if (bavail * bsize >= wanted) return;
    const [free, reserved] = [bavail * bsize, wanted].map((size) => `${Math.round(size / 2 ** 20)} MiB`);
    const message = `no space left on device: ${free} are free, and ${reserved} are kept: gantry system prune makes room`;
    throw Object.assign(new Error(message), { code: 'ENOSPC', syscall: 'write' });
  }
}
