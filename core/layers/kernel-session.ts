import { readFileSync } from 'node:fs';
import { uniqueMountId } from '@gantry/sdk/linux';
import { randomId } from '../support/index.ts';

/** Where mounts have no numbers of their own (before Linux 6.8), nobody but this process can tell. */
const process = randomId();

/**
 * A word that stays the same as long as the kernel surely has what was written to the file system of `path`, on the disk or in its page
 * cache: this boot and this mount.
 */
export function kernelSession(path: string): string {
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${uniqueMountId(path) ?? process}`;
}
