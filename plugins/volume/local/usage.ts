import { type Dirent, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Usage } from '@gantry/sdk';

const entriesPerTurn = 2_000;

/** Bytes of all files below a folder, hard links once. Lets others work in between; what vanishes meanwhile is not counted. */
export async function usageOf(root: string, signal: AbortSignal): Promise<Usage> {
  const linked = new Set<number>();
  const folders = [root];
  let bytes = 0;
  let inodes = 0;
  let looked = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of entriesOf(folder)) {
      const path = join(folder, entry.name);
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found === undefined || (found.nlink > 1 && !found.isDirectory() && linked.has(found.ino))) continue;
      if (found.nlink > 1 && !found.isDirectory()) linked.add(found.ino);
      inodes += 1;
      bytes += found.size;
      if (found.isDirectory()) folders.push(path);
      looked += 1;
      if (looked % entriesPerTurn === 0) {
        await new Promise(setImmediate);
        signal.throwIfAborted();
      }
    }
  }
  return { bytes, inodes };
}

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
