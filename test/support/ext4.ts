import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Ext4Options {
  readonly sizeMiB?: number;
  /** Where the sparse backing file lies: TMPDIR, which inside `inNamespaces` is memory, unless given. */
  readonly folder?: string;
}

export interface Ext4 extends AsyncDisposable {
  /** The mount point. */
  readonly path: string;
}

/**
 * The loop device passes writes through (direct I/O) where the file system below can: otherwise everything is copied once more into the page
 * cache of the backing file, which no disk does. It clears itself with the mount.
 */
function mountLoop(image: string, path: string): void {
  const attach = (directIo: 'on' | 'off'): string =>
    execFileSync('losetup', ['--find', '--show', `--direct-io=${directIo}`, image], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  const device = attempt(() => attach('on')) ?? attach('off');
  try {
    execFileSync('mount', [device, path]);
  } finally {
    execFileSync('losetup', ['--detach', device]);
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/**
 * A journaled ext4 of its own, as users have it, whatever the machine's disk is formatted with. Only inside `inNamespaces`.
 * Nothing outlives the mount: the backing file has no name any more and mount(8) asked the loop device to clear itself.
 */
export function withExt4({ sizeMiB = 1024, folder = tmpdir() }: Ext4Options = {}): Ext4 {
  mkdirSync(folder, { recursive: true });
  const path = mkdtempSync(join(tmpdir(), 'gantry-ext4-'));
  const image = join(folder, `gantry-ext4-${process.pid}-${performance.now()}.img`);
  try {
    writeFileSync(image, '', { flag: 'wx' });
    truncateSync(image, sizeMiB * 1024 * 1024);
    execFileSync('mkfs.ext4', ['-q', '-F', '-E', 'nodiscard', image]);
    mountLoop(image, path);
  } finally {
    rmSync(image, { force: true });
  }
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      execFileSync('umount', [path]);
      rmdirSync(path);
    },
  };
}
