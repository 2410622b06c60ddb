import { readFileSync, statSync } from 'node:fs';
import { unavailable } from '@gantry/sdk';
import { parseMountinfo, run } from '@gantry/sdk/linux';

/** What the kernel answers by itself, from memory or this machine's own disks. Any other file system asks a program or a server, which may never answer. */
const ownTypes = new Set(
  [
    'overlay tmpfs ramfs rootfs ext2 ext3 ext4 xfs btrfs zfs f2fs squashfs erofs iso9660 vfat exfat ntfs3',
    'proc sysfs devtmpfs devpts cgroup cgroup2 mqueue hugetlbfs debugfs tracefs securityfs pstore bpf configfs fusectl binfmt_misc nsfs efivarfs selinuxfs',
  ].flatMap((types) => types.split(' ')),
);
const answerMs = 10_000;

/** Whether what is mounted right there may keep whoever looks into it waiting for ever. Asks the kernel, never what is mounted. */
export function mayHang(path: string): boolean {
  const mounts = parseMountinfo(linesWith(` ${escaped(path)} `));
  const top = mounts.findLast(({ mountPoint }) => mountPoint === path);
  return top !== undefined && !ownTypes.has(top.type);
}

/** Whether anything that may hang is mounted on this machine. */
function somethingMayHang(): boolean {
  for (const [, type = ''] of readMounts().matchAll(/ - (\S+) /g)) if (!ownTypes.has(type)) return true;
  return false;
}

/** Asks the file system at a path for a sign of life, by a process that can be killed: `unavailable` when none comes. */
export async function mustAnswer(path: string, what: string): Promise<void> {
  const { exitCode, complaint } = await stat(['-f', '--', path], what);
  if (exitCode !== 0) throw unavailable(`${what}: ${complaint}`);
}

/** Whether something is at a path of the host's, symlinks followed. `unavailable` when a file system on the way does not answer. */
export async function isThere(path: string): Promise<boolean> {
  if (!somethingMayHang()) return statSync(path, { throwIfNoEntry: false }) !== undefined;
  const { exitCode, complaint } = await stat(['-L', '--', path], path);
  if (exitCode === 0) return true;
  if (/No such file or directory|Not a directory/.test(complaint)) return false;
  throw unavailable(complaint);
}

async function stat(
  given: readonly string[],
  what: string,
): Promise<{ readonly exitCode: number | undefined; readonly complaint: string }> {
  const request = { file: '/bin/stat', argv: ['stat', ...given], env: { LC_ALL: 'C' }, timeoutMs: answerMs };
  const { exitCode, stderr } = await run(request).catch((error: unknown) => {
    throw unavailable(`${what} does not answer`, { cause: error, hint: 'the program or server behind it hangs' });
  });
  return { exitCode, complaint: stderr.toString().trim() };
}

function readMounts(): string {
  return readFileSync('/proc/thread-self/mountinfo', 'utf8');
}

/** Of the file that may have thousands of lines, those that have this text. */
function linesWith(text: string): string {
  const all = readMounts();
  const lines: string[] = [];
  for (let at = all.indexOf(text); at >= 0; at = all.indexOf(text, at + 1))
    lines.push(all.slice(all.lastIndexOf('\n', at) + 1, all.indexOf('\n', at)));
  return lines.join('\n');
}

/** As the kernel writes a path there. */
function escaped(path: string): string {
  return path.replaceAll(/[ \t\n\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
