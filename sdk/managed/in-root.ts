import { lstatSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { invalidArgument } from '../errors.ts';

const mostLinks = 40;

/**
 * Where a path of a root file system is, as a process with that root would find it: a stranger's links lead nowhere else. What is not there yet counts
 * as what it is called.
 */
export function inRoot(root: string, path: string): string {
  const pending = path.split('/').toReversed();
  const resolved: string[] = [];
  let links = 0;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') resolved.pop();
    else if (lstatSync(join(root, ...resolved, part), { throwIfNoEntry: false })?.isSymbolicLink() !== true) resolved.push(part);
    else {
      if ((links += 1) > mostLinks) throw invalidArgument(`${path} in the root file system is a link that leads to itself`);
      const target = readlinkSync(join(root, ...resolved, part));
      if (target.startsWith('/')) resolved.length = 0;
      pending.push(...target.split('/').toReversed());
    }
  }
  return join(root, ...resolved);
}
