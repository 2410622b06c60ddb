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
  /** For mkfs, besides what it is always given. */
  readonly features?: readonly string[];
  readonly mountOptions?: string;
  /** Where it is mounted: a new folder below TMPDIR unless given. */
  readonly path?: string;
  /** Whoever used it leaves processes and mounts behind: other engines do. */
  readonly isLeftInUse?: boolean;
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
  xfs: ['mkfs.xfs', '-q', '-K'],
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
 * Nothing outlives the mount: the backing file has no name any more, and the loop device clears itself.
 */
export function withDisk(
  type: keyof typeof makers,
  {
    sizeMiB = 1024,
    folder = tmpdir(),
    path = newFolder(type),
    features = [],
    mountOptions = 'defaults',
    isLeftInUse = false,
  }: DiskOptions = {},
): Disk {
  for (const each of [folder, path]) mkdirSync(each, { recursive: true });
  const image = join(folder, `gantry-${type}-${process.pid}-${performance.now()}.img`);
  const [make, ...given] = makers[type];
  writeFileSync(image, '', { flag: 'wx' });
  truncateSync(image, sizeMiB * 1024 * 1024);
  execFileSync(make, [...given, ...features, image], { stdio: ['ignore', 'ignore', 'inherit'] });
  let file = mounted(image, { path, mountOptions });
  return {
    path,
    rot: (bytes) => rot(file, bytes),
    cutPower: () => {
      execFileSync('cp', ['--sparse=always', `/proc/${process.pid}/fd/${file}`, image]);
      closeSync(file);
      execFileSync('umount', [path]);
      file = mounted(image, { path, mountOptions });
    },
    [Symbol.asyncDispose]: async () => {
      closeSync(file);
      execFileSync('umount', isLeftInUse ? ['--lazy', path] : [path]);
      // What still uses it may have it mounted below its own root.
      if (!isLeftInUse) rmdirSync(path);
    },
  };
}

interface MountPlace {
  readonly path: string;
  readonly mountOptions: string;
}

/** The backing file, open, which has no name any more. */
function mounted(image: string, at: MountPlace): number {
  try {
    mountLoop(image, at);
    return openSync(image, 'r+');
  } finally {
    rmSync(image, { force: true });
  }
}

/**
 * The loop device passes writes through (direct I/O) where the file system below can: otherwise everything is copied once more into the page
 * cache of the backing file, which no disk does. It clears itself with the mount.
 */
function mountLoop(image: string, { path, mountOptions }: MountPlace): void {
  const device = attached(image, 'on') ?? attached(image, 'off');
  if (device === undefined) throw new Error(`no loop device for ${image}`);
  try {
    execFileSync('mount', ['-o', mountOptions, device, path]);
  } finally {
    execFileSync('losetup', ['--detach', device]);
  }
}

function attached(image: string, directIo: 'on' | 'off'): string | undefined {
  const { status, stdout } = spawnSync('losetup', ['--find', '--show', `--direct-io=${directIo}`, image], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
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
