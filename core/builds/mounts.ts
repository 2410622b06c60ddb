import { codeOf } from '@gantry/sdk';
import { buildCacheLabel } from '@gantry/sdk/builder';
import type { CacheRecord, VolumeInfo, Volumes } from '@gantry/sdk/engine';

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

/** Unless a step uses it now. */
export async function removeMount({ volumes }: MountParts, id: string): Promise<boolean> {
  try {
    await volumes.remove(id, { force: false });
    return true;
  } catch (error) {
    if (codeOf(error) !== 'conflict') throw error;
    return false;
  }
}
