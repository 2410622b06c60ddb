import { join } from 'node:path';
import type { ContainerInfo } from '@gantry/sdk/log';

export function logPath({ dir, id }: ContainerInfo): string {
  return join(dir, `${id}-json.log`);
}

/** Where `place.ts` keeps its note. */
export function placePath(container: ContainerInfo): string {
  return `${logPath(container)}.place`;
}

/** Whether a name in the container's folder is the log, a rotated part of it, or our note. */
export function isLogFile(name: string, id: string): boolean {
  return name.startsWith(`${id}-json.log`) && /^(\.\d+(\.gz(\.tmp)?)?|\.place)?$/.test(name.slice(`${id}-json.log`.length));
}
