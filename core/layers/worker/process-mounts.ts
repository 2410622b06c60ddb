import { closeSync, openSync, readFileSync } from 'node:fs';
import { internal } from '@gantry/sdk';
import {
  closeOpened,
  isErrno,
  mount,
  openat2,
  parseMountinfo,
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

/** Those below others first; what has something else over its root is not to be seen. */
function procMounts(proc: number): readonly string[] {
  const file = openat2(proc, 'thread-self/mountinfo');
  try {
    const entries = parseMountinfo(readFileSync(file, 'utf8'));
    const covers = new Set(entries.map((entry) => `${entry.parentId} ${entry.mountPoint}`));
    const byId = new Map(entries.map((entry) => [entry.mountId, entry]));
    // With a mount all that is mounted in it is covered, files like /proc/sysrq-trigger among it, over which nothing else can be put.
    const isCovered = (entry: (typeof entries)[number], depth = 0): boolean => {
      if (covers.has(`${entry.mountId} ${entry.mountPoint}`)) return true;
      const parent = byId.get(entry.parentId);
      return parent?.type === 'proc' && depth < entries.length && isCovered(parent, depth + 1);
    };
    return entries
      .filter((entry) => entry.type === 'proc' && !isCovered(entry))
      .map(({ mountPoint }) => mountPoint)
      .toReversed();
  } finally {
    closeOpened(file);
  }
}
