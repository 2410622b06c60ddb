import { invalidArgument } from '@gantry/sdk';
import type { BtrfsQuotaMode } from '@gantry/sdk/linux';

export interface BtrfsSettings {
  /** How to count where nothing is counted yet. */
  readonly quotaMode: BtrfsQuotaMode;
  readonly leastQuotaBytes: number;
}

/** Settings by Docker's names, as `--storage-opt` gives them; those of other drivers are none of ours. */
export function settingsOf(given: Readonly<Record<string, unknown>>): BtrfsSettings {
  const { 'btrfs.min_space': leastSpace = '0', 'btrfs.quota': quotaMode = 'full', ...others } = given;
  const unknown = Object.keys(others).find((name) => name.startsWith('btrfs.'));
  if (unknown !== undefined)
    throw invalidArgument(`unknown storage option ${unknown}`, { hint: 'there are btrfs.min_space and btrfs.quota' });
  if (quotaMode !== 'full' && quotaMode !== 'simple') throw invalidArgument('btrfs.quota must be full or simple');
  return { quotaMode, leastQuotaBytes: bytesOf(leastSpace) };
}

function bytesOf(size: unknown): number {
  const [, number, unit = ''] = /^(\d+)([kmgt]?)i?b?$/i.exec(String(size)) ?? [];
  if (number === undefined) throw invalidArgument(`btrfs.min_space must be a size like 500M, not ${JSON.stringify(size)}`);
  return Number(number) * 1024 ** ' kmgt'.indexOf(unit.toLowerCase() || ' ');
}
