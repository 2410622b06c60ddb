import { createHash, randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { appendFile, chmod, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { forbidden, fromErrno } from '../errors.ts';
import type { HostContext } from '../plugin.ts';

/**
 * A plugin's data folder. Paths are relative to it; one that leaves it, or that goes through a symlink, is `forbidden`. Names that
 * begin with # are the helper's own.
 */
export interface DataFolder {
  /** The absolute path, the same for the plugin and the engine; of `.` the folder's own. */
  path(relative: string): string;
  /** Makes folders and their parents, mode 0755; those that are there stay. */
  mkdirs(...paths: readonly string[]): Promise<void>;
  /** Atomic, and on the disk when it resolves. What was renamed already is no failure. */
  rename(from: string, to: string): Promise<void>;
  /** Gone at once for everybody, then deleted; not there: nothing to do. */
  remove(path: string): Promise<void>;
  /** Names of the folders below a path, sorted. */
  dirs(path?: string): Promise<readonly string[]>;
  has(path: string): boolean;
  read(path: string): Promise<string | undefined>;
  /** Replaces a small file as a whole, on the disk when it resolves. */
  write(path: string, text: string): Promise<void>;
  /** Adds to the end of a file, on the disk when it resolves. */
  append(path: string, text: string): Promise<void>;
  /** What `mkdirs` made is on the disk. */
  sync(): Promise<void>;
}

/** Opens the folder and deletes what a crash left half deleted. `removeData` deletes what belongs to others: the engine does. */
export function openData(root: string, { removeData }: Pick<HostContext, 'removeData'> = {}): DataFolder {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(root)) if (name.startsWith('#')) removeLeft(name);
  const unsynced = new Set<string>();
  const inside = (path: string) => confined(root, path);
  function removeLeft(name: string): void {
    try {
      rmSync(join(root, name), { recursive: true, force: true });
    } catch {
      // Nobody waits for it: the next start tries again.
      void removeData?.(name).catch(() => {});
    }
  }
  async function removed(name: string): Promise<void> {
    try {
      await rm(join(root, name), { recursive: true, force: true });
    } catch (error) {
      if (removeData === undefined || !isOthers(error)) throw error;
      await removeData(name);
    }
  }
  return {
    path: (path) => (path === '.' ? root : inside(path)),
    async mkdirs(...paths) {
      for (const path of paths) {
        const wanted = inside(path);
        const made = doing(`make ${path}`, () => mkdirSync(wanted, { recursive: true }));
        if (made === undefined) continue;
        for (let folder = wanted; folder.length >= made.length; folder = dirname(folder)) {
          await chmod(folder, 0o755);
          unsynced.add(dirname(folder));
        }
      }
    },
    async rename(from, to) {
      const [source, target] = [inside(from), inside(to)];
      if (!existsSync(source) && existsSync(target)) return;
      await rename(source, target).catch(failed(`rename ${from} to ${to}`));
      for (const folder of new Set([dirname(source), dirname(target)])) await syncFolder(folder);
    },
    async remove(path) {
      const gone = `#gone-${randomBytes(8).toString('hex')}`;
      const source = inside(path);
      if (!existsSync(source) && !isLink(source)) return;
      try {
        await rename(source, join(root, gone));
      } catch (error) {
        // A folder that a container gave another owner can be moved by nobody else.
        if (removeData === undefined || !isOthers(error)) throw fromErrno(error, `remove ${path}`);
        return await removeData(path);
      }
      await removed(gone).catch(failed(`delete what was in ${path}`));
    },
    dirs: async (path = '.') =>
      doing(`list ${path}`, () => readdirSync(path === '.' ? root : inside(path), { withFileTypes: true }))
        .filter((entry) => entry.isDirectory() && !entry.name.startsWith('#'))
        .map(({ name }) => name)
        .toSorted(),
    has: (path) => existsSync(inside(path)),
    read: async (path) => (existsSync(inside(path)) ? readFile(inside(path), 'utf8') : undefined),
    async write(path, text) {
      const target = inside(path);
      const temporary = join(
        root,
        `#new-${createHash('sha256').update(target).digest('hex').slice(0, 16)}-${randomBytes(4).toString('hex')}`,
      );
      await writeFile(temporary, text, { mode: 0o600, flush: true }).catch(failed(`write ${path}`));
      await rename(temporary, target).catch(failed(`write ${path}`));
      await syncFolder(dirname(target));
    },
    append: (path, text) => appendFile(inside(path), text, { mode: 0o600, flush: true }).catch(failed(`append to ${path}`)),
    async sync() {
      const folders = [...unsynced];
      unsynced.clear();
      for (const folder of folders) if (existsSync(folder)) await syncFolder(folder);
    },
  };
}

function isOthers(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
}

function confined(root: string, path: string): string {
  const below = normalize(path);
  if (isAbsolute(path) || path.includes('\0') || below === '.' || below === '..' || below.startsWith('../') || below.startsWith('#'))
    throw forbidden(`${JSON.stringify(path)} is not below the plugin's data folder`, { reason: 'PATH_LEAVES_DATA' });
  let reached = root;
  // The last part may be a symlink: it is then renamed or removed itself, never followed.
  for (const part of dirname(below).split('/')) {
    reached = join(reached, part);
    if (isLink(reached)) throw forbidden(`${JSON.stringify(path)} goes through a symlink`, { reason: 'PATH_LEAVES_DATA' });
  }
  return join(root, below);
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

function doing<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fromErrno(error, what);
  }
}

function failed(what: string): (error: unknown) => never {
  return (error) => {
    throw fromErrno(error, what);
  };
}
