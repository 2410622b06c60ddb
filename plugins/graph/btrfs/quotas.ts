import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exhausted, invalidArgument, notImplemented } from '@gantry/sdk';
import {
  type BtrfsQuotaGroup,
  btrfsQuotaMode,
  createQuotaGroup,
  deleteQuotaGroup,
  enableBtrfsQuota,
  isErrno,
  joinQuotaGroup,
  limitQuotaGroup,
  subvolumeAt,
} from '@gantry/sdk/linux';
import type { BtrfsSettings } from './settings.ts';

/**
 * Limits of what snapshots add to their parents. In mode `full` it is the limit of the subvolume's own group; in mode `simple` that of a group above it, of the same
 * number, which the kernel has subvolumes belong to that a container makes inside. The file `quota` beside a tree says which number its groups have.
 */
export class Quotas {
  readonly #root: string;
  readonly #settings: BtrfsSettings;

  constructor(root: string, settings: BtrfsSettings) {
    this.#root = root;
    this.#settings = settings;
  }

  check(bytes: number): void {
    const { leastQuotaBytes } = this.#settings;
    if (bytes > 0 && bytes < leastQuotaBytes) throw invalidArgument(`btrfs: storage size cannot be less than ${leastQuotaBytes} bytes`);
  }

  /** Counting begins with the first limit on a file system: in mode `full` all that is there is counted before this resolves. */
  async limit(folder: string, bytes: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const id = subvolumeAt(join(folder, 'tree'))?.id ?? 0n;
    const mode = btrfsQuotaMode(this.#root) ?? (await this.#enable(signal));
    writeFileSync(join(folder, 'quota'), String(id));
    const own = { level: 0, id };
    if (mode === 'full') return limitQuotaGroup(this.#root, own, bytes);
    const above = { level: 1, id };
    await createQuotaGroup(this.#root, above);
    await limitQuotaGroup(this.#root, above, bytes);
    await joinQuotaGroup(this.#root, own, above);
  }

  /** Nothing to do where no limit is. */
  async lift(folder: string): Promise<void> {
    for (const group of groupsOf(folder)) await ignoringAbsent(limitQuotaGroup(this.#root, group, undefined));
  }

  /** False while the kernel still counts what was deleted: its cleaner comes every half minute. */
  async forget(folder: string): Promise<boolean> {
    try {
      for (const group of groupsOf(folder).toReversed()) await deleteQuotaGroup(this.#root, group);
      return true;
    } catch (error) {
      if (isErrno(error, 'EBUSY')) return false;
      throw error;
    }
  }

  async #enable(signal: AbortSignal): Promise<'full' | 'simple'> {
    const { quotaMode } = this.#settings;
    try {
      await enableBtrfsQuota(this.#root, quotaMode, { signal });
    } catch (error) {
      if (quotaMode === 'simple' && isErrno(error, 'EINVAL', 'ENOTSUP'))
        throw notImplemented('this kernel has no simple quotas', { hint: 'they came with Linux 6.7; set btrfs.quota=full', cause: error });
      if (isErrno(error, 'ENOSPC')) throw exhausted('no space left on device to count what is on it', { cause: error });
      throw error;
    }
    return quotaMode;
  }
}

/** Of both modes, the own one first: somebody may have changed it since. */
function groupsOf(folder: string): readonly BtrfsQuotaGroup[] {
  const file = join(folder, 'quota');
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  // Empty after a power cut: then the kernel has no group of it either.
  return /^\d+$/.test(text) ? [0, 1].map((level) => ({ level, id: BigInt(text) })) : [];
}

/** ENOTCONN: nothing is counted any more. */
async function ignoringAbsent(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTCONN')) throw error;
  }
}
