import { GantryError, invalidArgument } from '@gantry/sdk';
import { cgroupsPath } from '../start/cgroups-path.ts';
import type { ContainerDefaults } from '../types.ts';
import { checkResources } from './resources.ts';
import { securityOf } from './security.ts';

/** Refuses with `invalid_argument` what no container could be started with. */
export function checkContainerDefaults(defaults: ContainerDefaults): void {
  const { cgroupParent = '', ulimits = [], shmSizeBytes = 0 } = defaults;
  if (!Number.isSafeInteger(shmSizeBytes) || shmSizeBytes < 0) throw invalidArgument(`default size of /dev/shm ${shmSizeBytes} is no size`);
  try {
    checkResources({ Ulimits: ulimits }, { cpus: [0], memoryNodes: [0], hasCpuRealtime: false });
    cgroupsPath(cgroupParent, 'x');
    securityOf({}, defaults);
  } catch (error) {
    throw GantryError.is(error) ? invalidArgument(`default of containers: ${error.message}`, { cause: error }) : error;
  }
}
