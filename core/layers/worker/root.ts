import { openSync } from 'node:fs';
import { chdir, chroot, openPath, setns } from '@gantry/sdk/linux';
import { enterMountsOf } from './process-mounts.ts';

/** Open while this thread lives: the ways back, and the machine's own /proc. Nothing that runs here takes commands from a tree. */
let real: { readonly root: number; readonly mounts: number; readonly proc: number } | undefined;
let isAway = false;

/**
 * Makes a folder of the real tree this thread's root. `/proc/PID/root` is what that process sees, without any proc file system: its magic
 * links are the only ones that lead out of a root. Only after `unshare('fs')`.
 */
export function enter(folder: string): void {
  const { proc } = leave();
  const pid = /^\/proc\/(\d+)\/root$/.exec(folder)?.[1];
  isAway = pid !== undefined;
  if (pid !== undefined) enterMountsOf(Number(pid), proc);
  else chroot(folder);
  chdir('/');
}

/** Back to the real root. */
export function leave(): NonNullable<typeof real> {
  real ??= { root: openSync('/', openPath), mounts: openSync('/proc/thread-self/ns/mnt', 'r'), proc: openSync('/proc', openPath) };
  if (isAway) setns(real.mounts, 'mount');
  isAway = false;
  chdir(real.root);
  chroot('.');
  return real;
}

/** Makes a folder of the present root this thread's root; symlinks on the way stay inside. */
export function enterBelow(folder: string): void {
  chroot(folder);
  chdir('/');
}
