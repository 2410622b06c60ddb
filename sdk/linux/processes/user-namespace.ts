import { closeSync, openSync, readFileSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { internal } from '../../errors.ts';
import type { IdMaps, IdRange } from './id-maps.ts';
import { mount, mountFlags } from '../mounts/mount.ts';
import { waitpid } from './process.ts';
import { posixSpawn } from './spawn.ts';
import { pipe, readSome } from '../sockets/stream-calls.ts';
import { waitForExit, whenReadable } from './wait.ts';

/** Whether owners are mapped here: the first user namespace maps every number to itself (user_namespaces(7)). */
export function isInUserNamespace(uidMap: string = readFileSync('/proc/self/uid_map', 'utf8')): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(uidMap);
}

/**
 * A descriptor of a user namespace with these maps, in which nobody is: for containers, and for mounts that show owners as others (mount_setattr(2), MOUNT_ATTR_IDMAP): an
 * owner `inside` on the disk is seen as `outside`. The kernel makes one only for a process without other threads, so a short one is started. Close it. Throws EINVAL for
 * maps that overlap. Needs CAP_SETUID and CAP_SETGID.
 */
export function openUserNamespace({ uids, gids }: IdMaps): Promise<number> {
  return withProcess(['/usr/bin/unshare', '--user', '/bin/cat'], 'a user namespace could not be made', (pid) => {
    writeFileSync(`/proc/${pid}/uid_map`, linesOf(uids));
    writeFileSync(`/proc/${pid}/gid_map`, linesOf(gids));
    return openSync(`/proc/${pid}/ns/user`, 'r');
  });
}

/**
 * As `createNetns`, owned by the user namespace at a path: its root may change what is in it. Only a process that is in that one can make it, so a short one is started.
 */
export async function createNetnsOf(userNamespace: string, path: string): Promise<void> {
  const argv = ['/usr/bin/nsenter', `--user=${userNamespace}`, '/usr/bin/unshare', '--net', '/bin/cat'] as const;
  writeFileSync(path, '', { flag: 'wx', mode: 0o444 });
  try {
    await withProcess(argv, 'a network namespace could not be made in a user namespace', (pid) =>
      mount(`/proc/${pid}/ns/net`, path, { flags: mountFlags.bind }),
    );
  } catch (error) {
    unlinkSync(path);
    throw error;
  }
}

/** Has a program run that ends in cat(1), for as long as the function takes. */
async function withProcess<T>(argv: readonly [string, ...string[]], failure: string, use: (pid: number) => T): Promise<T> {
  const [input, output] = [pipe(), pipe()];
  let pid: number | undefined;
  try {
    pid = posixSpawn({ file: argv[0], argv, env: {}, stdio: [input.reader, output.writer, null] });
    // What comes back comes from the program inside.
    writeSync(input.writer, '.');
    closeSync(output.writer);
    await whenReadable(output.reader);
    if (readSome(output.reader, Buffer.alloc(1)) !== 1) {
      const hint = 'sysctl user.max_user_namespaces and user.max_net_namespaces say how many there may be';
      throw internal(`${failure}: ${argv[0]} has ended`, { hint });
    }
    return use(pid);
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
