import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { readMountinfo } from '@gantry/sdk/linux';

export const controllers = ['memory', 'pids', 'cpu'] as const;
export type Controller = (typeof controllers)[number];

/** One mounted tree of cgroups(7), and what it can limit. */
export interface Hierarchy {
  readonly version: 1 | 2;
  readonly mountPoint: string;
  readonly controllers: readonly Controller[];
  /** The folder of the engine's own group, if it can be seen. */
  readonly own: string | undefined;
}

/** The trees to put a plugin into: version 1 where it has the controller, the unified one for the rest, and for killing where there is nothing else. */
export function cgroupHierarchies(): readonly Hierarchy[] {
  mounted ??= readMountinfo().filter(({ type, mountPoint }) => type.startsWith('cgroup') && mountPoint.startsWith('/sys/fs/cgroup'));
  const groups = ownGroups();
  const found: Hierarchy[] = [];
  for (const { mountPoint, root, superOptions } of mounted.filter(({ type }) => type === 'cgroup')) {
    const names = superOptions.split(',');
    const able = controllers.filter((name) => names.includes(name) && !found.some((other) => other.controllers.includes(name)));
    const own = groups.find(([of]) => of.some((name) => names.includes(name)))?.[1];
    if (able.length > 0) found.push({ version: 1, mountPoint, controllers: able, own: folderOf(mountPoint, root, own) });
  }
  const unified = mounted.find(({ type }) => type === 'cgroup2');
  if (unified !== undefined) {
    const able = words(join(unified.mountPoint, 'cgroup.controllers'));
    const rest = controllers.filter((name) => able.includes(name) && !found.some((other) => other.controllers.includes(name)));
    if (rest.length > 0 || found.length === 0)
      found.push({ version: 2, mountPoint: unified.mountPoint, controllers: rest, own: undefined });
  }
  return found;
}

/** Mounts of cgroups do not change while a machine runs. */
let mounted: ReturnType<typeof readMountinfo> | undefined;

/** The lines of /proc/self/cgroup: "4:memory:/a", by controllers. */
function ownGroups(): readonly (readonly [of: readonly string[], path: string])[] {
  return readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      return names === undefined || path === undefined ? [] : [[names.split(','), path] as const];
    });
}

/** A mount may show a part of the tree only. */
function folderOf(mountPoint: string, root: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const below = relative(root, path);
  const folder = join(mountPoint, below);
  return below.startsWith('..') || !existsSync(folder) ? undefined : folder;
}

export function words(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8')
      .split(/\s+/)
      .filter((word) => word !== '');
  } catch {
    return [];
  }
}
