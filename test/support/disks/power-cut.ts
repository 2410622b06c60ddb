import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface PowerCutDiskOptions {
  /** Where it is mounted; the backing file lies beside it. */
  readonly path: string;
  readonly sizeMiB?: number;
}

/**
 * A journaled ext4 that can lose its power: what was not flushed to it is gone, as with a pulled plug (EXT4_IOC_SHUTDOWN with NOLOGFLUSH, of
 * fs/ext4/ioctl.c). Only inside `inNamespaces`; the backing file belongs on its tmpfs.
 */
export class PowerCutDisk implements AsyncDisposable {
  readonly path: string;
  readonly #image: string;

  constructor({ path, sizeMiB = 256 }: PowerCutDiskOptions) {
    this.path = path;
    this.#image = `${path}.img`;
    mkdirSync(this.path, { recursive: true });
    writeFileSync(this.#image, '');
    truncateSync(this.#image, sizeMiB * 1024 * 1024);
    execFileSync('mkfs.ext4', ['-q', '-F', '-E', 'nodiscard', this.#image]);
    this.#mount();
  }

  /** From here everything on the disk fails with EIO, and nothing reaches it any more. */
  cut(): void {
    execFileSync('python3', ['-c', shutdown, this.path]);
  }

  /** The power is back: takes down all mounts beside and below it and mounts it again, which replays the journal. For when nobody uses it any more. */
  async restore(): Promise<void> {
    await this.#unmount();
    this.#mount();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#unmount();
    rmSync(this.#image, { force: true });
  }

  async #unmount(): Promise<void> {
    for (const target of mountsBelow(dirname(this.path)).toReversed()) await unmount(target);
  }

  #mount(): void {
    execFileSync('mount', ['-o', 'loop', this.#image, this.path]);
  }
}

const patienceMs = 10_000;

/** Processes that were killed keep what they had for a moment. */
async function unmount(target: string): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (spawnSync('umount', [target]).status !== 0) {
    if (performance.now() > deadline) execFileSync('umount', [target]);
    await sleep(20);
  }
}

const shutdown = `
import fcntl, os, struct, sys
EXT4_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587d, 2
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), EXT4_IOC_SHUTDOWN, struct.pack('I', NOLOGFLUSH))
`;

function mountsBelow(folder: string): readonly string[] {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  return points.filter((point) => point.startsWith(`${folder}/`));
}
