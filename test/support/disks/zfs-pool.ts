import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ZfsPool extends AsyncDisposable {
  /** The data set at its top. */
  readonly name: string;
  /** What is in it, once everything is written. */
  usedBytes(): number;
  /** Goes on with what the device has by now, as after a power cut. What is mounted of it is to be unmounted when that has been copied. */
  cutPower(options?: { readonly whenCopied?: () => void }): void;
}

/** Why there can be no pool here; undefined when there can. */
export function missingForZfs(): string | undefined {
  if (!existsSync('/dev/zfs')) return 'needs zfs in the kernel';
  return spawnSync('zpool', ['version']).error === undefined ? undefined : 'needs zfsutils-linux';
}

/** A pool of its own in a sparse file in TMPDIR. Pools have no namespaces: a test that is killed leaves it behind. Without compression, so that what is written counts. */
export function withZfsPool({ sizeMiB = 1024 }: { readonly sizeMiB?: number } = {}): ZfsPool {
  const name = `gantry-test-${process.pid}-${Math.round(performance.now())}`;
  const file = join(tmpdir(), `${name}.img`);
  writeFileSync(file, '', { flag: 'wx' });
  truncateSync(file, sizeMiB * 1024 * 1024);
  let device = attached(file);
  try {
    execFileSync('zpool', ['create', '-O', 'mountpoint=none', '-O', 'compression=off', name, device]);
  } catch (error) {
    execFileSync('losetup', ['--detach', device]);
    throw error;
  }
  return {
    name,
    usedBytes: () => {
      execFileSync('zpool', ['sync', name]);
      execFileSync('zpool', ['wait', '-t', 'free', name]);
      return Number(execFileSync('zfs', ['list', '-H', '-p', '-o', 'used', name], { encoding: 'utf8' }));
    },
    cutPower: ({ whenCopied = () => undefined } = {}) => {
      const copy = `${file}.cut`;
      execFileSync('cp', ['--sparse=always', file, copy]);
      whenCopied();
      execFileSync('zpool', ['export', '-f', name]);
      execFileSync('losetup', ['--detach', device]);
      renameSync(copy, file);
      device = attached(file);
      execFileSync('zpool', ['import', '-f', '-N', '-d', device, name]);
    },
    [Symbol.asyncDispose]: async () => {
      execFileSync('zpool', ['destroy', '-f', name]);
      execFileSync('losetup', ['--detach', device]);
      rmSync(file, { force: true });
    },
  };
}

/** The kernel opens what a pool is in by its path in the machine's mount namespace, where the file is not. */
function attached(file: string): string {
  return execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim();
}
