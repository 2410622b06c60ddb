import {
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { internal } from '@gantry/sdk';
import {
  bindMount,
  chdir,
  isErrno,
  mount,
  mountAttributes,
  mountFlags,
  mountSetattr,
  moveMount,
  openTree,
  pivotRoot,
  setPropagation,
} from '@gantry/sdk/linux';
import type { ContainerParts } from './container.ts';
import type { Place, SecretFile, Shown } from './job.ts';
import { devices, isBelow, systemFiles, systemFolders } from './system.ts';

/**
 * Gives this thread, which has a mount namespace of its own, a root in which nothing is but what a program needs of the system and what is to be shown. The machine's
 * tree is not hidden: it is not there any more. Its /proc is still empty, since that one belongs to another pid namespace: see `startInit`.
 */
export function enterRoot(shown: readonly Shown[], { container, taken = [], places = [], files = [], uid = 0 }: EnterOptions = {}): void {
  // These stay connected to the machine's, so they are copied before everything is cut off.
  const connected = new Map(
    shown.filter(({ propagates }) => propagates).map(({ path }) => [path, openTree(path, { clone: true, recursive: true })]),
  );
  setPropagation('/', 'private', { recursive: true });
  const root = freePlace([...shown.map(({ path }) => path), ...taken]);
  mount('tmpfs', root, { type: 'tmpfs', flags: limited, data: 'mode=755,size=16m' });
  showSystem(root);
  for (const item of shown.toSorted((one, other) => (one.path < other.path ? -1 : 1))) show(root, item, connected.get(item.path));
  for (const { path, tree } of places) showPlace(join(root, path), tree);
  for (const { path, bytes } of files) writeSecret(join(root, path), bytes, uid);
  container?.mountAt(root);
  chdir(root);
  pivotRoot();
}

interface EnterOptions {
  /** Put in beside, by its own paths on the machine, which are in `taken`. */
  readonly container?: ContainerParts | undefined;
  readonly taken?: readonly string[];
  readonly places?: readonly Place[];
  readonly files?: readonly SecretFile[];
  /** Whose the files are. */
  readonly uid?: number;
}

/** The root itself takes no more files: what the plugin may write has its own mount. */
export function sealRoot(): void {
  try {
    mountSetattr('/', { set: mountAttributes.rdonly });
  } catch (error) {
    if (!isErrno(error, 'ENOSYS')) throw error;
    mount('none', '/', { flags: mountFlags.remount | mountFlags.bind | mountFlags.rdonly | limited });
  }
}

const limited = mountFlags.nosuid | mountFlags.nodev;

/** Any folder will do, as the mount namespace is ours, if it does not lie over something that is to be shown. */
function freePlace(taken: readonly string[]): string {
  const needed = [...taken, '/dev', '/etc', '/usr'];
  const place = ['/mnt', '/media', '/srv', '/sys', '/tmp', '/proc'].find(
    (folder) => existsSync(folder) && !needed.some((path) => isBelow(path, folder)),
  );
  if (place === undefined) throw internal('there is no folder to build a sandbox at');
  return place;
}

function showSystem(root: string): void {
  for (const folder of ['dev', 'etc', 'proc', 'run', 'tmp', 'var']) mkdirSync(join(root, folder));
  for (const path of systemFolders) showFolder(root, path);
  for (const path of systemFiles) copyFile(root, path);
  for (const path of devices) show(root, { path, access: 'device' });
  mount('tmpfs', join(root, 'tmp'), { type: 'tmpfs', flags: limited, data: 'mode=1777,size=64m' });
  mkdirSync(join(root, 'dev/shm'));
  mount('tmpfs', join(root, 'dev/shm'), { type: 'tmpfs', flags: limited | mountFlags.noexec, data: 'mode=1777,size=64m' });
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name));
}

const links = {
  'dev/fd': '/proc/self/fd',
  'dev/stdin': '/proc/self/fd/0',
  'dev/stdout': '/proc/self/fd/1',
  'dev/stderr': '/proc/self/fd/2',
  // Not from the machine's root: what lies behind is made before this one is entered.
  'var/tmp': '../tmp',
  'var/run': '../run',
  'etc/mtab': '/proc/self/mounts',
};

/** A folder of the system, or the symlink that stands for it: /bin, where it is a part of /usr. */
function showFolder(root: string, path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink()) symlinkSync(readlinkSync(path), join(root, path));
  else if (stat?.isDirectory()) show(root, { path, access: 'read' });
}

/** A copy, since these are replaced by renaming: a mount would keep the old one as well. */
function copyFile(root: string, path: string): void {
  try {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    copyFileSync(path, join(root, path));
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EACCES', 'EISDIR')) throw error;
  }
}

function show(root: string, { path, access }: Shown, connected?: number): void {
  const target = join(root, path);
  makePlace(path, target);
  if (connected !== undefined) {
    moveMount(connected, target);
    closeSync(connected);
    return;
  }
  bindMount(path, target, { recursive: access !== 'device', readOnly: access === 'read', noSuid: true, noDev: access !== 'device' });
}

function showPlace(target: string, tree: number): void {
  makePlace(`/proc/thread-self/fd/${tree}`, target);
  moveMount(tree, target);
}

/** Programs that are given keys look at who else could read them. */
function writeSecret(target: string, bytes: Uint8Array, uid: number): void {
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, bytes, { mode: 0o400, flag: 'wx' });
  chownSync(target, uid, uid);
}

function makePlace(path: string, target: string): void {
  if (existsSync(target)) return;
  if (statSync(path).isDirectory()) {
    mkdirSync(target, { recursive: true });
    return;
  }
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, '');
}
