import { openSync } from 'node:fs';
import { chdir, chroot, openPath } from '@gantry/sdk/linux';

/** Open while this thread lives: the way back. Nothing that runs here takes commands from a tree. */
let realRoot: number | undefined;

/** Makes a folder of the real tree this thread's root. Only after `unshare('fs')`. */
export function enter(folder: string): void {
  leave();
  chroot(folder);
  chdir('/');
}

/** Back to the real root. */
export function leave(): void {
  realRoot ??= openSync('/', openPath);
  chdir(realRoot);
  chroot('.');
}

/** Makes a folder of the present root this thread's root; symlinks on the way stay inside. */
export function enterBelow(folder: string): void {
  chroot(folder);
  chdir('/');
}
