import { lstatSync } from 'node:fs';
import { invalidArgument } from '@gantry/sdk';

/** An image with a symlink in place of one of these would lead the runtime's mounts elsewhere (CVE-2021-30465, CVE-2025-52881). */
export function checkRootfs(rootfs: string): void {
  for (const name of ['dev', 'proc', 'sys']) {
    const facts = lstatSync(`${rootfs}/${name}`, { throwIfNoEntry: false });
    if (facts !== undefined && !facts.isDirectory()) throw invalidArgument(`/${name} in the image must be an ordinary directory`);
  }
}
