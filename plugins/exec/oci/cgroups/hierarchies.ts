import { readMountinfo } from '@gantry/sdk/linux';

export interface Hierarchy {
  readonly folder: string;
  readonly version: 1 | 2;
  /** v1 only: what is mounted there; "name=systemd" for a named one. */
  readonly controllers: readonly string[];
}

/** Every mounted cgroup tree of this machine, read once. */
export function hierarchies(): readonly Hierarchy[] {
  known ??= readHierarchies();
  return known;
}

export function cgroupLayout(): 'v1' | 'v2' | 'hybrid' {
  const versions = new Set(hierarchies().map(({ version }) => version));
  if (versions.size === 2) return 'hybrid';
  return versions.has(2) ? 'v2' : 'v1';
}

/** The version that limits containers: a hybrid layout's controllers are v1. */
export function cgroupVersion(): 1 | 2 {
  return cgroupLayout() === 'v2' ? 2 : 1;
}

/** The folder of a container's cgroup in the tree that has this controller; in v2 there is only one tree. */
export function cgroupFolder(cgroup: string, controller: string): string | undefined {
  const tree = hierarchies().find(({ version, controllers }) => (cgroupVersion() === 2 ? version === 2 : controllers.includes(controller)));
  return tree && `${tree.folder}${cgroup}`;
}

let known: readonly Hierarchy[] | undefined;

function readHierarchies(): readonly Hierarchy[] {
  const found: Hierarchy[] = [];
  for (const { type, mountPoint: folder, superOptions } of readMountinfo()) {
    if (!folder.startsWith('/sys/fs/cgroup')) continue;
    if (type === 'cgroup2') found.push({ folder, version: 2, controllers: [] });
    if (type === 'cgroup') found.push({ folder, version: 1, controllers: superOptions.split(',') });
  }
  return found;
}
