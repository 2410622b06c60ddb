import type { DaemonOptions } from '../daemon-options.ts';
import { makeRemapUser } from './remap-user.ts';
import { remappedIds } from './userns-remap.ts';

/** Makes what of the machine's settings want and it lacks, told by `say` in a line: the user of `userns-remap=default`. The options as they are then. */
export function prepared({ remapUser, ...options }: DaemonOptions, say: (line: string) => void): DaemonOptions {
  if (remapUser === undefined) return options;
  say(makeRemapUser(remapUser));
  return { ...options, containerDefaults: { ...options.containerDefaults, idMaps: remappedIds('default') } };
}
