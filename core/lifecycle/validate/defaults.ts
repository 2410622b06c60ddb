import { GantryError, invalidArgument } from '@gantry/sdk';
import { cgroupsPath } from '../start/cgroups-path.ts';
import type { ContainerDefaults } from '../types.ts';
import { checkResources } from './resources.ts';
import { securityOf } from './security.ts';

/** Refuses with `invalid_argument` what no container could be started with. */
export function checkContainerDefaults(defaults: ContainerDefaults): void {
  const { cgroupParent = '', ulimits = [], shmSizeBytes = 0, idMaps } = defaults;
  if (!Number.isSafeInteger(shmSizeBytes) || shmSizeBytes < 0) throw invalidArgument(`default size of /dev/shm ${shmSizeBytes} is no size`);
  for (const ranges of [idMaps?.uids, idMaps?.gids]) {
    if (ranges?.some(({ inside, outside }) => inside === 0 && outside > 0) === false)
      throw invalidArgument('default of containers: their user namespace has no root, or the machine’s');
  }
  try {
    checkResources({ Ulimits: ulimits }, { cpus: [0], memoryNodes: [0], hasCpuRealtime: false });
    cgroupsPath(cgroupParent, 'x');
    securityOf({}, defaults);
  } catch (error) {
    throw GantryError.is(error) ? invalidArgument(`default of containers: ${error.message}`, { cause: error }) : error;
  }
}
