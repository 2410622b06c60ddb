import type { Resources } from '@gantry/sdk/engine';

/** What this machine's kernel can limit. */
export interface HostAbilities {
  readonly cgroupVersion: 1 | 2;
  /** Whether shares of a disk's time can be given: a scheduler that knows of weights is there. */
  readonly hasBlkioWeight: boolean;
}

/** Takes out what this kernel does not have and a runtime would refuse, with Docker's words for it: clients show them and go on. */
export function withoutUnsupported<Asked extends Resources>(
  resources: Asked,
  { cgroupVersion, hasBlkioWeight }: HostAbilities,
): { readonly resources: Asked; readonly warnings: readonly string[] } {
  const memory = cgroupVersion === 1 ? nothing : memoryOfV2(resources);
  const weights = hasBlkioWeight ? nothing : weightsOf(resources);
  return { resources: { ...resources, ...memory.off, ...weights.off }, warnings: [...memory.warnings, ...weights.warnings] };
}

interface Unsupported {
  readonly off: Partial<Resources>;
  readonly warnings: readonly string[];
}

const nothing: Unsupported = { off: {}, warnings: [] };

function memoryOfV2({ MemorySwappiness, OomKillDisable }: Resources): Unsupported {
  // -1 is how clients leave it open.
  const wantsSwappiness = typeof MemorySwappiness === 'number' && MemorySwappiness !== -1;
  return {
    off: {
      ...(MemorySwappiness !== undefined && { MemorySwappiness: null }),
      ...(OomKillDisable !== undefined && { OomKillDisable: null }),
    },
    warnings: [...(wantsSwappiness ? [noSwappiness] : []), ...(OomKillDisable === true ? [noOomKillDisable] : [])],
  };
}

function weightsOf({ BlkioWeight = 0, BlkioWeightDevice }: Resources): Unsupported {
  const hasDevices = (BlkioWeightDevice ?? []).length > 0;
  return {
    off: { ...(BlkioWeight !== 0 && { BlkioWeight: 0 }), ...(hasDevices && { BlkioWeightDevice: [] }) },
    warnings: [...(BlkioWeight === 0 ? [] : [noWeight]), ...(hasDevices ? [noWeightOfDevices] : [])],
  };
}

const noSwappiness =
  'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.';
const noOomKillDisable = 'Your kernel does not support OomKillDisable. OomKillDisable discarded.';
const noWeight = 'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.';
const noWeightOfDevices = 'Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.';
