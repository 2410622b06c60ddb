import { type Abortable, codeOf } from '@gantry/sdk';
import { buildCacheLabel } from '@gantry/sdk/builder';
import type { CacheRecord, Filtered, VolumeInfo, Volumes } from '@gantry/sdk/engine';
import { recordFilter } from './cache.ts';

export interface MountParts {
  readonly kept: () => Promise<readonly VolumeInfo[]>;
  readonly volumes: Pick<Volumes, 'remove'>;
}

/** What `RUN --mount=type=cache` keeps, as records of the cache. */
export async function mountRecords({ kept }: MountParts): Promise<readonly CacheRecord[]> {
  return (await kept()).map(({ name, labels, createdAt, usage }) => ({
    id: name,
    kind: 'exec.cachemount',
    parent: '',
    description: `cached mount ${labels?.[buildCacheLabel] ?? ''}`.trimEnd(),
    inUse: (usage?.refCount ?? 0) > 0,
    shared: false,
    sizeBytes: Math.max(0, usage?.sizeBytes ?? 0),
    createdMs: Date.parse(createdAt),
    usedMs: Date.parse(createdAt),
    uses: 0,
  }));
}

/** Removes those that no step uses now. */
export async function pruneMounts(
  parts: MountParts,
  { filters = {}, signal }: Filtered & Abortable,
): Promise<{ readonly deleted: readonly string[]; readonly spaceReclaimed: number }> {
  const matches = recordFilter(filters);
  const deleted: string[] = [];
  let spaceReclaimed = 0;
  for (const record of await mountRecords(parts)) {
    signal?.throwIfAborted();
    if (record.inUse || !matches(record)) continue;
    try {
      await parts.volumes.remove(record.id, { force: false });
      deleted.push(record.id);
      spaceReclaimed += record.sizeBytes;
    } catch (error) {
      if (codeOf(error) !== 'conflict') throw error;
    }
  }
  return { deleted, spaceReclaimed };
}
