import type { Stats } from 'node:fs';
import { type EntryPath, joined } from './entry-path.ts';
import { namesIn, statOf } from './tree.ts';

export interface Found {
  readonly path: EntryPath;
  readonly stat: Stats;
}

/** Everything below a folder of this thread's root, folders before what is in them, names in the order of their bytes. */
export function* walk(folder: EntryPath): Generator<Found, void> {
  const pending: Level[] = [{ folder, names: namesIn(folder), next: 0 }];
  for (let level = pending.at(-1); level !== undefined; level = pending.at(-1)) {
    const name = level.names[level.next];
    if (name === undefined) {
      pending.pop();
      continue;
    }
    level.next += 1;
    const path = joined(level.folder, name);
    const stat = statOf(path);
    // It went away meanwhile: containers may run while they are read.
    if (stat === undefined) continue;
    yield { path, stat };
    if (stat.isDirectory()) pending.push({ folder: path, names: namesIn(path), next: 0 });
  }
}

interface Level {
  readonly folder: EntryPath;
  readonly names: readonly string[];
  next: number;
}
