import { readFileSync, writeFileSync } from 'node:fs';
import { fromErrno } from '../errors.ts';
import { isErrno } from '../linux/index.ts';

/** Hears of a setting that this process may not change, or that this kernel has not; without anybody who hears, it is an error. */
export type Unsettable = (key: string, error: unknown) => void;

/** Writes into the network namespace that this thread is in. A key that the kernel lacks (IPv6 is off) has nothing to say. */
export function setSysctls(sysctls: Readonly<Record<string, string>>, linkName: string, unsettable?: Unsettable): void {
  for (const [key, value] of Object.entries(sysctls)) {
    const path = key.split('.').map((part) => (part === 'IFNAME' ? linkName : part));
    const file = `/proc/sys/${path.join('/')}`;
    try {
      // Writing waits for the kernel's lock of all links, which a removed one keeps for some 10 ms; reading does not.
      if (readFileSync(file, 'utf8').trim() !== value) writeFileSync(file, value, { flag: 'r+' });
    } catch (error) {
      if (isErrno(error, 'ENOENT') && key.startsWith('net.ipv6.')) continue;
      if (unsettable === undefined || !isErrno(error, 'ENOENT', 'EROFS', 'EACCES', 'EPERM')) throw fromErrno(error, `set ${key}`);
      unsettable(key, error);
    }
  }
}
