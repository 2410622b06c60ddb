import { readFileSync } from 'node:fs';
import { statxMount } from '../files/statx.ts';
import type { Path } from '../path.ts';

/** One line of /proc/PID/mountinfo (proc_pid_mountinfo(5)), unescaped. */
export interface MountinfoEntry {
  readonly mountId: number;
  readonly parentId: number;
  /** `major:minor`. */
  readonly device: string;
  /** The folder inside the file system that is shown. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
  /** `shared:7`, `master:3`, … */
  readonly propagation: readonly string[];
  readonly type: string;
  readonly source: string;
  readonly superOptions: string;
}

/** The mounts that a process sees, in the order they were made; `self` is the calling thread. */
export function readMountinfo(pid: number | 'self' = 'self'): readonly MountinfoEntry[] {
  return parseMountinfo(readFileSync(`/proc/${pid === 'self' ? 'thread-self' : pid}/mountinfo`, 'utf8'));
}

/** Reads mountinfo's text; lines that are no mounts are left out. */
export function parseMountinfo(text: string): readonly MountinfoEntry[] {
  return text.split('\n').flatMap((line) => parseLine(line) ?? []);
}

/** Whether something is mounted right at this path (a symlink at its end counts as itself). Throws ENOENT when it is not there. */
export function isMountPoint(path: Path): boolean {
  return statxMount(path).isMountRoot;
}

function parseLine(line: string): MountinfoEntry | undefined {
  const fields = line.split(' ');
  const [mountId, parentId, device, root, mountPoint, options] = fields;
  const dash = fields.indexOf('-', 6);
  if (dash < 0 || mountId === undefined || parentId === undefined || device === undefined) return undefined;
  if (root === undefined || mountPoint === undefined || options === undefined) return undefined;
  return {
    mountId: Number(mountId),
    parentId: Number(parentId),
    device,
    root: unescaped(root),
    mountPoint: unescaped(mountPoint),
    options: options.split(','),
    propagation: fields.slice(6, dash),
    type: unescaped(fields[dash + 1] ?? ''),
    source: unescaped(fields[dash + 2] ?? ''),
    superOptions: fields[dash + 3] ?? '',
  };
}

/** The kernel writes space, tab, newline and backslash as three octal digits. */
function unescaped(text: string): string {
  return text.includes('\\') ? text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8))) : text;
}
