import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { internal } from '../errors.ts';
import { waitpid } from './process.ts';
import { posixSpawn } from './spawn.ts';
import { pipe, readSome } from './stream-calls.ts';
import { waitForExit, whenReadable } from './wait.ts';

/** Whether owners are mapped here: the first user namespace maps every number to itself (user_namespaces(7)). */
export function isInUserNamespace(uidMap: string = readFileSync('/proc/self/uid_map', 'utf8')): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(uidMap);
}

/** One line of a user namespace's map, user_namespaces(7): so many ids from the first one on are the ones from the second on. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly size: number;
}

/**
 * A descriptor of a user namespace with these maps, in which nobody is: for mounts that show owners as others (mount_setattr(2), MOUNT_ATTR_IDMAP): an owner `inside`
 * on the disk is seen as `outside`. The kernel makes one only for a process without other threads, so a short one is started. Close it. Throws EINVAL for maps
 * that overlap. Needs CAP_SETUID and CAP_SETGID.
 */
export async function openUserNamespace({
  uids,
  gids,
}: {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}): Promise<number> {
  const [input, output] = [pipe(), pipe()];
  let pid: number | undefined;
  try {
    pid = posixSpawn({
      file: '/usr/bin/unshare',
      argv: ['unshare', '--user', '/bin/cat'],
      env: {},
      stdio: [input.reader, output.writer, null],
    });
    // What comes back comes from the program inside.
    writeSync(input.writer, '.');
    closeSync(output.writer);
    await whenReadable(output.reader);
    if (readSome(output.reader, Buffer.alloc(1)) !== 1) throw internal('a user namespace could not be made: unshare(1) has ended');
    writeFileSync(`/proc/${pid}/uid_map`, linesOf(uids));
    writeFileSync(`/proc/${pid}/gid_map`, linesOf(gids));
    return openSync(`/proc/${pid}/ns/user`, 'r');
  } finally {
    for (const descriptor of [input.reader, input.writer, output.reader]) closeSync(descriptor);
    if (pid !== undefined) await reaped(pid);
  }
}

/** Its input has ended. */
async function reaped(pid: number): Promise<void> {
  if (waitpid(pid) === 'running') await waitForExit(pid);
}

function linesOf(ranges: readonly IdRange[]): string {
  return ranges.map(({ inside, outside, size }) => `${inside} ${outside} ${size}\n`).join('');
}
