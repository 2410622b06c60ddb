import { readFileSync } from 'node:fs';

/** Whether owners are mapped here: the first user namespace maps every number to itself (user_namespaces(7)). */
export function isInUserNamespace(uidMap: string = readFileSync('/proc/self/uid_map', 'utf8')): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(uidMap);
}
