import type { Stats } from 'node:fs';
import { type EntryPath, joined } from './entry-path.ts';
import { namesIn, statOf } from './tree.ts';

export interface Found {
  readonly path: EntryPath;
  readonly stat: Stats;
}

/** Everything below a folder of this thread's root, folders before what is in them, names in the order of their bytes. */
export function* walk(folder: EntryPath): Iterable<Found> {
  const pending = [childrenOf(folder)];
  for (;;) {
    const next = pending.at(-1)?.next();
    if (next === undefined) return;
    if (next.done === true) {
      pending.pop();
      continue;
    }
    yield next.value;
    if (next.value.stat.isDirectory()) pending.push(childrenOf(next.value.path));
  }
}

function* childrenOf(folder: EntryPath): Generator<Found, undefined> {
  for (const name of namesIn(folder)) {
    const path = joined(folder, name);
    const stat = statOf(path);
    // It went away meanwhile: containers may run while they are read.
    if (stat !== undefined) yield { path, stat };
  }
  return undefined;
}
