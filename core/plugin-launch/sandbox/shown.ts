import { realpathSync } from 'node:fs';
import type { LaunchRequest } from '../types.ts';
import type { Shown } from './job.ts';
import { isBelow, systemFolders } from './system.ts';

/** What this plugin sees beyond what every program sees; a path that is named twice is shown once, as the last of its roles has it. */
export function shownTo({ codeDir, dataDir, runDir, readablePaths = [], privileges, container }: LaunchRequest): readonly Shown[] {
  if (container !== undefined) return [];
  const shown = new Map<string, Shown>();
  const add = (item: Shown): void => void shown.set(item.path, item);
  for (const path of readablePaths) if (!isShownAnyway(path)) add({ path, access: 'read' });
  add({ path: codeDir, access: 'read' });
  for (const path of privileges.hostPaths ?? []) add({ path, access: 'write' });
  for (const path of privileges.devices ?? []) add({ path, access: 'device' });
  add({ path: dataDir, access: 'write', propagates: privileges.driverMounted === true });
  add({ path: runDir, access: 'write' });
  return [...shown.values()];
}

function isShownAnyway(path: string): boolean {
  const real = realpathSync(path);
  return systemFolders.some((folder) => isBelow(real, folder));
}
