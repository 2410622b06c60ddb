import { openSync } from 'node:fs';
import { chdir, chroot, openPath, setns } from '@gantry/sdk/linux';
import { enterMountsOf } from './process-mounts.ts';

/** Open while this thread lives: the ways back. Nothing that runs here takes commands from a tree. */
let real: { readonly root: number; readonly mounts: number } | undefined;
let isAway = false;

/**
 * Makes a folder of the real tree this thread's root. `/proc/PID/root` is what that process sees, without any proc file system: its magic
 * links are the only ones that lead out of a root. Only after `unshare('fs')`.
 */
export function enter(folder: string): void {
  leave();
  const pid = /^\/proc\/(\d+)\/root$/.exec(folder)?.[1];
  isAway = pid !== undefined;
  if (pid !== undefined) enterMountsOf(Number(pid));
  else chroot(folder);
  chdir('/');
}

/** Back to the real root. */
export function leave(): void {
  real ??= { root: openSync('/', openPath), mounts: openSync('/proc/thread-self/ns/mnt', 'r') };
  if (isAway) setns(real.mounts, 'mount');
  isAway = false;
  chdir(real.root);
  chroot('.');
}

/** Makes a folder of the present root this thread's root; symlinks on the way stay inside. */
export function enterBelow(folder: string): void {
  chroot(folder);
  chdir('/');
}
