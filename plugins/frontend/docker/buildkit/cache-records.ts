import type { Builds } from '@gantry/sdk/engine';
import { cacheFilters } from './filters.ts';
import { decode, encode, timestamp } from './messages.ts';

interface PruneRequest {
  readonly all: boolean;
  /** What its first clients call what is to be kept. */
  readonly reservedSpace: string;
  readonly maxUsedSpace: string;
  readonly minFreeSpace: string;
  readonly keepDuration: string;
  readonly filter: readonly string[];
}
interface DiskUsageRequest {
  readonly filter: readonly string[];
  readonly ageLimit: string;
}

/** DiskUsage: what the cache of builds holds. */
export async function cacheUsage(builds: Builds, request: Buffer): Promise<Buffer> {
  const { filter, ageLimit } = decode<DiskUsageRequest>('DiskUsageRequest', request);
  const found = await builds.cache({ filters: cacheFilters({ filter, keepDuration: ageLimit }) });
  const record = found.map((each) => ({
    ID: bare(each.id),
    inUse: each.inUse,
    size: each.sizeBytes,
    createdAt: timestamp(each.createdMs),
    lastUsedAt: timestamp(each.usedMs),
    usageCount: each.uses,
    description: each.description,
    recordType: each.kind,
    shared: each.shared,
    parents: each.parent === '' ? [] : [bare(each.parent)],
  }));
  return encode('DiskUsageResponse', { record });
}

/** Prune: removes of it what is not used; tells what went. */
export async function* pruneCache(builds: Builds, request: Buffer): AsyncIterable<Buffer> {
  const { all, reservedSpace, maxUsedSpace, minFreeSpace, ...what } = decode<PruneRequest>('PruneRequest', request);
  const limits = { keepBytes: Number(reservedSpace), mostBytes: Number(maxUsedSpace), freeBytes: Number(minFreeSpace) };
  const sizes = new Map((await builds.cache()).map(({ id, sizeBytes }) => [id, sizeBytes]));
  const { deleted } = await builds.prune({ all, ...limits, filters: cacheFilters(what) });
  for (const id of deleted) yield encode('UsageRecord', { ID: bare(id), size: sizes.get(id) ?? 0 });
}

function bare(id: string): string {
  return id.replace('sha256:', '');
}
