import { globSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromErrno, unavailable } from '@gantry/sdk';
import { isErrno } from '@gantry/sdk/linux';
import type { LaunchRequest } from '../types.ts';
import { cgroupHierarchies, type Controller, controllers, type Hierarchy, words } from './layout.ts';
import { limitsOf } from './limits.ts';

interface Place {
  readonly hierarchy: Hierarchy;
  readonly path: string;
}
interface Folder extends Place {
  readonly limits: readonly Controller[];
}

/** Kills and removes what is left of a start by an engine that was killed; nothing is left: nothing to do. */
export async function endLeftOver({ instance, cgroupParent }: { readonly instance: string; readonly cgroupParent: string }): Promise<void> {
  await removeFolders(cgroupHierarchies().map((hierarchy) => ({ hierarchy, path: join(hierarchy.mountPoint, cgroupParent, instance) })));
}

/** The processes of one start of a plugin, in a cgroup of their own in each tree that matters here. */
export class ProcessGroup implements AsyncDisposable {
  readonly #folders: readonly Folder[];

  private constructor(folders: readonly Folder[]) {
    this.#folders = folders;
  }

  /** Makes the groups with their limits. What is left of one with that name (an engine that was killed) is killed and removed first. */
  static async open(request: Pick<LaunchRequest, 'name' | 'instance' | 'resources' | 'cgroupParent'>): Promise<ProcessGroup> {
    const { name, instance, resources, cgroupParent = 'gantry-plugins' } = request;
    const places = placesOf(instance, cgroupParent);
    await removeFolders(places);
    for (const { path } of places) removeForgotten(dirname(path));
    // From here to the last folder nothing else runs that could remove the parent as empty.
    const group = new ProcessGroup(places.map((place) => ({ ...place, limits: enabledIn(place) })));
    try {
      for (const folder of group.#folders) makeFolder(folder, resources);
      return group;
    } catch (error) {
      await group.remove();
      throw fromErrno(error, `plugin ${name}: its cgroup ${cgroupParent}/${instance} cannot be made`);
    }
  }

  /** Kills what is in the groups of that name, whoever made them, and removes them; none: nothing to do. */
  static async end(instance: string, cgroupParent = 'gantry-plugins'): Promise<void> {
    await removeFolders(placesOf(instance, cgroupParent));
  }

  /** What cannot be limited here. */
  get missing(): readonly Controller[] {
    return controllers.filter((name) => !this.#folders.some(({ limits }) => limits.includes(name)));
  }

  /** Files by which a thread enters (version 1). */
  get joins(): readonly string[] {
    return this.#of(1).map(({ path }) => join(path, 'tasks'));
  }

  /** Files by which a thread of the engine comes back. */
  get leaves(): readonly string[] {
    return this.#of(1).map(({ hierarchy }) => join(hierarchy.own ?? hierarchy.mountPoint, 'tasks'));
  }

  /** Whether processes have to be moved into it after their start (version 2). */
  get takesProcesses(): boolean {
    return this.#of(2).length > 0;
  }

  /** Moves a process into it (version 2), if it has not ended. The kernel takes 10 to 30 ms for that. */
  async take(pid: number): Promise<void> {
    for (const { path } of this.#of(2)) {
      await writeFile(join(path, 'cgroup.procs'), String(pid)).catch((error: unknown) => {
        if (!isErrno(error, 'ESRCH')) throw error;
      });
    }
  }

  /** Without what of its memory is files' contents, which the kernel takes back when it needs room. */
  usage(): { readonly memoryBytes: number; readonly pids: number } | undefined {
    const memoryBytes = this.#number('memory', { 1: 'memory.usage_in_bytes', 2: 'memory.current' });
    const pids = this.#number('pids', { 1: 'pids.current', 2: 'pids.current' });
    return memoryBytes === undefined || pids === undefined
      ? undefined
      : { memoryBytes: Math.max(0, memoryBytes - this.#fileBytes()), pids };
  }

  #fileBytes(): number {
    const folder = this.#limiting('memory');
    const text = folder === undefined ? '' : read(join(folder.path, 'memory.stat'));
    const prefix = folder?.hierarchy.version === 2 ? '' : 'total_';
    const lines = [...text.matchAll(new RegExp(`^${prefix}(?:in)?active_file (\\d+)$`, 'gm'))];
    return lines.reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  }

  /** How many of its processes the kernel has killed for their memory. */
  oomKills(): number {
    const folder = this.#limiting('memory');
    if (folder === undefined) return 0;
    const text = read(join(folder.path, folder.hierarchy.version === 2 ? 'memory.events' : 'memory.oom_control'));
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  /** Kills all in it, in one step where the kernel can. */
  kill(): void {
    killMembers(this.#folders);
  }

  /** Kills what is in it and removes it; a second call does nothing. `unavailable` when something in it does not die within ten seconds (a hung disk). */
  async remove(): Promise<void> {
    await removeFolders(this.#folders);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }

  #of(version: 1 | 2): readonly Folder[] {
    return this.#folders.filter(({ hierarchy }) => hierarchy.version === version);
  }

  #limiting(controller: Controller): Folder | undefined {
    return this.#folders.find(({ limits }) => limits.includes(controller));
  }

  #number(controller: Controller, files: Readonly<Record<1 | 2, string>>): number | undefined {
    const folder = this.#limiting(controller);
    const value = folder && Number.parseInt(read(join(folder.path, files[folder.hierarchy.version])), 10);
    return value === undefined || Number.isNaN(value) ? undefined : value;
  }
}

function placesOf(instance: string, cgroupParent: string): readonly Place[] {
  return cgroupHierarchies().map((hierarchy) => ({ hierarchy, path: join(hierarchy.mountPoint, cgroupParent, instance) }));
}

/** Empty groups of an engine that was killed. Young ones may be those of another engine, which is about to use them. */
function removeForgotten(parent: string): void {
  for (const path of globSync(join(parent, '*/'))) {
    if (Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) > youngMs) removeFolder(path);
  }
}
const youngMs = 60_000;

function killMembers(folders: readonly Place[]): void {
  for (const { path } of folders) {
    if (tryWrite(join(path, 'cgroup.kill'), '1')) return;
    for (const pid of words(join(path, 'cgroup.procs'))) kill(Number(pid));
  }
}

async function removeFolders(folders: readonly Place[]): Promise<void> {
  for (let attempt = 0; attempt < 210; attempt++) {
    if (folders.map(({ path }) => removeFolder(path)).every(Boolean)) {
      for (const { path } of folders) removeFolder(dirname(path));
      return;
    }
    killMembers(folders);
    await sleep(Math.min(2 ** attempt, 50));
  }
  throw unavailable(`cgroup ${folders[0]?.path} still has processes`, {
    hint: 'they wait for a device that does not answer: see their state in ps',
  });
}

/** A version 2 tree hands a controller on only if each group above says so, which one with processes of its own cannot. */
function enabledIn({ hierarchy, path }: Place): readonly Controller[] {
  if (hierarchy.version === 1) return hierarchy.controllers;
  const parent = dirname(path);
  mkdirSync(parent, { recursive: true });
  const isOn = (folder: string, name: Controller): boolean => {
    const file = join(folder, 'cgroup.subtree_control');
    return words(file).includes(name) || tryWrite(file, `+${name}`);
  };
  return hierarchy.controllers.filter((name) => isOn(hierarchy.mountPoint, name) && isOn(parent, name));
}

function makeFolder({ hierarchy: { version }, path, limits }: Folder, resources: LaunchRequest['resources']): void {
  mkdirSync(path, { recursive: true });
  for (const { controller, file, value, isOptional } of limitsOf(resources, version)) {
    if (!limits.includes(controller)) continue;
    if (isOptional) tryWrite(join(path, file), value);
    else writeFileSync(join(path, file), value);
  }
}

/** False when something lives in it. */
function removeFolder(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (isErrno(error, 'EBUSY', 'ENOTEMPTY')) return false;
    throw error;
  }
}

/** Opened without O_CREAT: a controller that is not there must not become a file. */
function tryWrite(file: string, value: string): boolean {
  try {
    writeFileSync(file, value, { flag: 'r+' });
    return true;
  } catch {
    return false;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** A thread of the engine's on its way out shows as the engine; 0 would be everything around us. */
function kill(pid: number): void {
  if (!(pid > 1) || pid === process.pid) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
