import { statfsSync } from 'node:fs';
import type { Builds, CacheLimits, CacheRecord } from '@gantry/sdk/engine';
import { recordFilter } from './cache.ts';

export interface PruneParts {
  /** All that a prune may be about. */
  readonly records: () => Promise<readonly CacheRecord[]>;
  /** False: something stands on it, or uses it, so it stays. */
  readonly remove: (record: CacheRecord) => Promise<boolean>;
  /** On the disk that the cache lies on. */
  readonly folder: string;
}

/**
 * Children before parents, since a parent stays while something stands on it; those unused for longest first. Ends where as much is left as
 * the limits say; what is in use, or has a name, counts as left only where it is the cache's own.
 */
export async function pruneRecords(
  { records, remove, folder }: PruneParts,
  { filters = {}, signal, ...limits }: Parameters<Builds['prune']>[0],
): Promise<readonly CacheRecord[]> {
  const matches = recordFilter(filters);
  const deleted: CacheRecord[] = [];
  let left: number | undefined;
  for (let isAnother = true; isAnother; ) {
    isAnother = false;
    const all = await records();
    let totalBytes = all.reduce((sum, { shared, sizeBytes }) => sum + (shared ? 0 : sizeBytes), 0);
    left ??= keptBytes(limits, { totalBytes, folder });
    const found = all.filter((record) => !record.inUse && !record.shared && matches(record));
    for (const record of found.toSorted((one, other) => one.usedMs - other.usedMs)) {
      signal?.throwIfAborted();
      if (left > 0 && totalBytes <= left) return deleted;
      if (!(await remove(record))) continue;
      deleted.push(record);
      totalBytes -= record.sizeBytes;
      isAnother = true;
    }
  }
  return deleted;
}

/** As BuildKit reckons: 0 keeps nothing. */
function keptBytes(
  { keepBytes = 0, mostBytes = 0, freeBytes = 0 }: CacheLimits,
  { totalBytes, folder }: { readonly totalBytes: number; readonly folder: string },
): number {
  const { bavail, bsize } = statfsSync(folder);
  const lacking = freeBytes - bavail * bsize;
  const isEnoughFree = freeBytes > 0 && lacking <= 0 && mostBytes === 0;
  if (isEnoughFree) return Math.max(totalBytes, keepBytes);
  const most = lacking > 0 && freeBytes > 0 ? Math.min(mostBytes || totalBytes, Math.max(1, totalBytes - lacking)) : mostBytes;
  return Math.max(most, keepBytes);
}
