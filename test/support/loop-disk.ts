import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface LoopDiskOptions {
  readonly sizeMiB?: number;
  /** Where the sparse backing file lies: TMPDIR, which inside `inNamespaces` is memory, unless given. */
  readonly folder?: string;
}
export interface LoopDisk extends AsyncDisposable {
  /** The mount point. */
  readonly path: string;
}

/**
 * A file system of its own, whatever the machine's disk is formatted with. Only inside `inNamespaces`.
 * Nothing outlives the mount: the backing file has no name any more and mount(8) asked the loop device to clear itself.
 */
export function loopDisk(
  type: string,
  {
    sizeMiB = 1024,
    folder = tmpdir(),
    mkfs,
    mountOptions = [],
  }: LoopDiskOptions & { readonly mkfs: readonly string[]; readonly mountOptions?: readonly string[] },
): LoopDisk {
  mkdirSync(folder, { recursive: true });
  const path = mkdtempSync(join(tmpdir(), `gantry-${type}-`));
  const image = join(folder, `gantry-${type}-${process.pid}-${performance.now()}.img`);
  try {
    writeFileSync(image, '', { flag: 'wx' });
    truncateSync(image, sizeMiB * 1024 * 1024);
    execFileSync(`mkfs.${type}`, [...mkfs, image]);
    execFileSync('mount', ['-o', ['loop', ...mountOptions].join(','), image, path]);
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
