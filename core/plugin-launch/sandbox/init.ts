import { closeSync, readSync } from 'node:fs';
import { internal } from '@gantry/sdk';
import { pipe, posixSpawn } from '@gantry/sdk/linux';
import { pidCells, type SandboxJob } from './job.ts';

/**
 * Starts process 1 of the pid namespace. It mounts /proc, which only somebody inside can, reaps orphans, and is what the sandbox hangs on: when it is killed, the
 * kernel kills everything inside, double-forked or not. It runs no code of the plugin, which is its sibling and so has a normal process's signals and exit code.
 */
export function startInit({
  leash,
  pids,
  name,
  instance,
  hasOwnPids,
  patienceSeconds,
}: Pick<SandboxJob, 'leash' | 'pids' | 'name' | 'instance' | 'hasOwnPids' | 'patienceSeconds'>): Disposable & { waitUntilReady(): void } {
  using opened = new DisposableStack();
  const { reader, writer } = pipe();
  opened.defer(() => closeSync(reader));
  try {
    const stdio = [leash, writer, writer];
    const pid = posixSpawn({
      file: '/bin/sh',
      argv: ['gantry-plugin-init', '-c', hasOwnPids ? script(patienceSeconds) : sharedScript(patienceSeconds ?? 0, instance)],
      env: { PATH },
      stdio,
      setsid: true,
    });
    new Int32Array(pids)[pidCells.init] = pid;
  } finally {
    closeSync(writer);
  }
  const owned = opened.move();
  return {
    waitUntilReady: () => {
      const said = readAll(reader).trim();
      if (said !== 'ready') throw internal(`plugin ${name}: its sandbox has no /proc: ${said || 'its first process ended'}`);
    },
    [Symbol.dispose]: () => owned.dispose(),
  };
}

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Read-only, so that even user 0 cannot change the machine by /proc/sys. Ignoring SIGCHLD makes the kernel reap. The leash is read to its end, which comes when the
 * engine has gone (of a helper: when it has ended): then whatever else runs has its time to finish, and as soon as nothing is left but this process it ends as well.
 */
const script = (patienceSeconds: number | undefined): string => `mount -n -t proc -o ro,nosuid,nodev,noexec proc /proc || exit 1
trap '' CHLD
echo ready
exec >/dev/null 2>&1
read -r _
trap - CHLD
left=${patienceSeconds ?? 1}
while [ $left -gt 0 ] && kill -s 0 -- -1; do
  sleep 1${patienceSeconds === undefined ? '' : '\n  left=$((left - 1))'}
done`;

/**
 * Among the machine's processes: the kernel takes nothing along with this one, so it ends what is in its own cgroup, and only if that is the plugin's. Its
 * loops start no process, which would be in that cgroup as well.
 */
export const sharedScript = (
  patienceSeconds: number,
  instance: string,
): string => `mount -n -t proc -o ro,nosuid,nodev,noexec proc /proc || exit 1
echo ready
exec >/dev/null 2>&1
read -r _
group() {
  text=
  { while IFS= read -r line; do text="$text$line;"; done <"/proc/$1/cgroup"; } 2>/dev/null
}
others() {
  found=
  for each in /proc/[0-9]*; do
    [ "\${each#/proc/}" = $$ ] && continue
    group "\${each#/proc/}"
    [ "$text" = "$mine" ] && found="$found \${each#/proc/}"
  done
}
group $$
mine=$text
case "$mine" in *"/${instance};"*) ;; *) exit ;; esac
left=${patienceSeconds}
others
while [ -n "$found" ] && [ $left -gt 0 ]; do
  sleep 1
  left=$((left - 1))
  others
done
for _ in 1 2 3 4 5; do
  [ -z "$found" ] && exit
  kill -s KILL $found
  sleep 1
  others
done`;

function readAll(reader: number): string {
  const chunk = Buffer.alloc(4096);
  let text = '';
  for (;;) {
    const length = readSync(reader, chunk);
    if (length === 0) return text;
    text += chunk.toString('utf8', 0, length);
  }
}
