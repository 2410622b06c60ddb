import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { internal } from '@gantry/sdk';
import {
  closeOpened,
  isErrno,
  type MountinfoEntry,
  mount,
  openat2,
  openPath,
  parseMountinfo,
  resolveFlags,
  setns,
  setPropagation,
  umount2,
  unmountFlags,
  unshare,
} from '@gantry/sdk/linux';

/** Each round takes all that are seen; what is below others shows up in the next. */
const mostRounds = 8;

/**
 * Moves this thread into a copy of the mounts that a process sees, and takes every proc file system out of the copy. Through one that knows
 * the machine's processes (`--pid host`, `-v /proc:/x`) a container's symlink could lead to /proc/1/root, which is the machine.
 * `proc` is the machine's own /proc, opened: a container's does not know this thread.
 */
export function enterMountsOf(pid: number, proc: number): void {
  const mounts = openSync(`/proc/${pid}/ns/mnt`, 'r');
  try {
    setns(mounts, 'mount');
  } finally {
    closeSync(mounts);
  }
  unshare('mount');
  // What is shared with the container would be unmounted there, too.
  setPropagation('/', 'private', { recursive: true });
  for (let round = 0; round < mostRounds; round += 1) {
    const places = procMounts(proc);
    if (places.length === 0) return;
    for (const place of places) hide(place);
  }
  throw internal(`the mounts of process ${pid} change all the time`);
}

/** The container may have renamed what is above it, or it went with what was above: the next round looks again. */
function hide(place: string): void {
  try {
    unmount(place);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
  }
}

/** What comes from another user namespace can only be covered: mount_namespaces(7), "locked". */
function unmount(place: string): void {
  try {
    umount2(place, unmountFlags.detach);
  } catch (error) {
    if (!isErrno(error, 'EINVAL')) throw error;
    mount('none', place, { type: 'tmpfs', flags: new Set(['rdonly']), data: 'size=4k,mode=555' });
  }
}

/** Those below others first; what has something else over its root is not to be seen, and what is a file leads nowhere. */
function procMounts(proc: number): readonly string[] {
  const file = openat2(proc, 'thread-self/mountinfo');
  try {
    const entries = parseMountinfo(readFileSync(file, 'utf8'));
    const covers = new Set(entries.map((entry) => `${entry.parentId} ${entry.mountPoint}`));
    const isCovered = ({ mountId, mountPoint }: MountinfoEntry): boolean => covers.has(`${mountId} ${mountPoint}`);
    return entries
      .filter((entry) => entry.type === 'proc' && !isCovered(entry) && !isFile(proc, entry.root))
      .map(({ mountPoint }) => mountPoint)
      .toReversed();
  } finally {
    closeOpened(file);
  }
}

/**
 * Whether what is mounted is a file, as runtimes mount /proc/sysrq-trigger over itself: nothing can be put over it where it is locked. By its place in proc, which the kernel
 * tells: its mount point might be anything by now.
 */
function isFile(proc: number, root: string): boolean {
  const path = root.slice(1);
  if (path === '') return false;
  try {
    const file = openat2(proc, path, { flags: openPath | constants.O_NOFOLLOW, resolve: resolveFlags.beneath | resolveFlags.noSymlinks });
    try {
      return fstatSync(file).isFile();
    } finally {
      closeOpened(file);
    }
  } catch {
    return false;
  }
}
