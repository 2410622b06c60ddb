import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seekTo } from '@gantry/sdk/linux';

export interface DiskOptions {
  readonly sizeMiB?: number;
  /** Where the sparse backing file lies: TMPDIR, which inside `inNamespaces` is memory, unless given. */
  readonly folder?: string;
  /** Where it is mounted: a new folder below TMPDIR unless given. */
  readonly path?: string;
}

export interface Disk extends AsyncDisposable {
  /** The mount point. */
  readonly path: string;
  /** Turns a byte of these bytes over, wherever they are on the disk, as a disk that rots. Whoever has read them already still sees the old ones. Answers how often. */
  rot(bytes: Buffer): number;
  /** Goes on with what has been written to the device by now, as after a power cut (of a disk that keeps the order of writes). For when nothing below is mounted. */
  cutPower(): void;
}

const makers = {
  ext4: ['mkfs.ext4', '-q', '-F', '-E', 'nodiscard'],
  btrfs: ['mkfs.btrfs', '-q', '-f', '--nodiscard'],
} as const;

/** Why there can be no such disk here; undefined when there can. */
export function missingForDisk(type: keyof typeof makers): string | undefined {
  const [make] = makers[type];
  if (spawnSync(make, ['-V']).error !== undefined) return `needs ${make}`;
  // A module is loaded by the first mount; where there are no modules, what the kernel lists is all.
  const isKnown =
    readFileSync('/proc/filesystems', 'utf8').split('\n').includes(`\t${type}`) || spawnSync('modprobe', ['-q', type]).status === 0;
  return isKnown ? undefined : `needs ${type} in the kernel`;
}

/**
 * A file system of its own, as users have it, whatever the machine's disk is formatted with. Only inside `inNamespaces`.
 * Nothing outlives the mount: the backing file has no name any more and mount(8) asked the loop device to clear itself.
 */
export function withDisk(type: keyof typeof makers, { sizeMiB = 1024, folder = tmpdir(), path = newFolder(type) }: DiskOptions = {}): Disk {
  for (const each of [folder, path]) mkdirSync(each, { recursive: true });
  const image = join(folder, `gantry-${type}-${process.pid}-${performance.now()}.img`);
  const [make, ...given] = makers[type];
  writeFileSync(image, '', { flag: 'wx' });
  truncateSync(image, sizeMiB * 1024 * 1024);
  execFileSync(make, [...given, image], { stdio: ['ignore', 'ignore', 'inherit'] });
  let file = mounted(image, path);
  return {
    path,
    rot: (bytes) => rot(file, bytes),
    cutPower: () => {
      execFileSync('cp', ['--sparse=always', `/proc/${process.pid}/fd/${file}`, image]);
      closeSync(file);
      execFileSync('umount', [path]);
      file = mounted(image, path);
    },
    [Symbol.asyncDispose]: async () => {
      closeSync(file);
      execFileSync('umount', [path]);
      rmdirSync(path);
    },
  };
}

/** The backing file, open, which has no name any more. */
function mounted(image: string, path: string): number {
  try {
    execFileSync('mount', ['-o', 'loop', image, path]);
    return openSync(image, 'r+');
  } finally {
    rmSync(image, { force: true });
  }
}

function newFolder(type: string): string {
  return mkdtempSync(join(tmpdir(), `gantry-${type}-`));
}

/** Only where the file has data: it is sparse, and larger than memory should be. */
function rot(file: number, wanted: Buffer): number {
  const chunk = Buffer.alloc((4 << 20) + wanted.length);
  let count = 0;
  for (let from = seekTo('data', file, 0); from !== undefined; from = seekTo('data', file, from)) {
    const length = readSync(file, chunk, 0, chunk.length, from);
    const at = chunk.subarray(0, length).indexOf(wanted);
    if (at < 0) {
      from += Math.max(1, length - wanted.length);
      continue;
    }
    writeSync(file, Buffer.of((wanted[0] ?? 0) ^ 0xff), 0, 1, from + at);
    from += at + 1;
    count += 1;
  }
  return count;
}
