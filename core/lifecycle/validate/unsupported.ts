import type { Resources } from '@gantry/sdk/engine';

/** Takes out what cgroup v2 does not have and a runtime would refuse, with Docker's words for it: clients show them and go on. */
export function withoutUnsupported<Asked extends Resources>(
  resources: Asked,
  cgroupVersion: 1 | 2,
): { readonly resources: Asked; readonly warnings: readonly string[] } {
  const { MemorySwappiness, OomKillDisable } = resources;
  if (cgroupVersion === 1) return { resources, warnings: [] };
  // -1 is how clients leave it open.
  const wantsSwappiness = typeof MemorySwappiness === 'number' && MemorySwappiness !== -1;
  return {
    resources: {
      ...resources,
      ...(MemorySwappiness !== undefined && { MemorySwappiness: null }),
      ...(OomKillDisable !== undefined && { OomKillDisable: null }),
    },
    warnings: [...(wantsSwappiness ? [noSwappiness] : []), ...(OomKillDisable === true ? [noOomKillDisable] : [])],
  };
}

const noSwappiness =
  'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.';
const noOomKillDisable = 'Your kernel does not support OomKillDisable. OomKillDisable discarded.';
