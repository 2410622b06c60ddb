import type { Stats } from 'node:fs';
import { type EntryPath, parentOf } from './entry-path.ts';
import { type Changed, overlayChanges } from './overlay-changes.ts';
import { isOpaque } from './overlay-notes.ts';
import type { Comparison } from './protocol.ts';
import { enter } from './root.ts';
import { type Found, walk } from './walk.ts';

/** What the upper tree changed, sorted by path; folders that hold a change count as modified. */
export function compare({ kind, upper, lower }: Comparison): readonly Changed[] {
  return kind === 'overlay' ? overlayChanges(upper, lower) : compareTrees(upper, lower[0]);
}

/** Everything in an overlay's upper tree, by its own signs; whiteouts are character devices 0:0. Of what is read nothing is kept. */
export function* upperEntries(upper: string): Generator<Found & { readonly isOpaque: boolean }, void> {
  enter(upper);
  for (const { path, stat } of walk('')) yield { path, stat, isOpaque: stat.isDirectory() && isOpaque(path) };
}

function compareTrees(upper: string, lower: string | undefined): readonly Changed[] {
  const before = new Map<EntryPath, Facts>();
  if (lower !== undefined) {
    enter(lower);
    for (const { path, stat } of walk('')) before.set(path, factsOf(stat));
  }
  enter(upper);
  const kinds = new Map<EntryPath, Changed['kind']>();
  const folders = new Set<EntryPath>(['']);
  for (const { path, stat } of walk('')) {
    if (stat.isDirectory()) folders.add(path);
    const old = before.get(path);
    if (old === undefined) kinds.set(path, 'added');
    else if (!isSame(old, factsOf(stat))) kinds.set(path, 'modified');
    before.delete(path);
  }
  // What was in a folder that is gone, or is something else now, went with it.
  for (const path of before.keys()) if (folders.has(parentOf(path))) kinds.set(path, 'deleted');
  for (const path of kinds.keys()) {
    for (let parent = parentOf(path); parent !== '' && !kinds.has(parent); parent = parentOf(parent)) kinds.set(parent, 'modified');
  }
  return inOrder([...kinds].map(([path, kind]) => ({ path, kind })));
}

/** What is in a folder comes right after it. */
function inOrder(changes: readonly Changed[]): readonly Changed[] {
  const keyed = new Map(changes.map((change) => [change.path.replaceAll('/', '\0'), change]));
  return [...keyed.keys()].toSorted().flatMap((key) => keyed.get(key) ?? []);
}

interface Facts {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly size: number;
  readonly mtimeMs: number;
}

function factsOf({ mode, uid, gid, rdev, size, mtimeMs }: Stats): Facts {
  return { mode, uid, gid, rdev, size, mtimeMs };
}

/** Content counts by size and time, as everywhere: a copy-up alone changes neither. */
function isSame(old: Facts, now: Facts): boolean {
  if (old.mode !== now.mode || old.uid !== now.uid || old.gid !== now.gid || old.rdev !== now.rdev) return false;
  return (now.mode & 0o170000) === 0o040000 || (old.size === now.size && old.mtimeMs === now.mtimeMs);
}
