import type { Stats } from 'node:fs';
import { type EntryPath, joined, parentOf } from './entry-path.ts';
import { isOpaque } from './overlay-notes.ts';
import type { Comparison } from './protocol.ts';
import { enter } from './root.ts';
import { byCode, isWhiteout, namesIn, statOf } from './tree.ts';
import { type Found, walk } from './walk.ts';

export interface Changed {
  readonly path: EntryPath;
  readonly kind: 'modified' | 'added' | 'deleted';
  /** Of what is there now. */
  readonly stat?: Stats;
}

/** What the upper tree changed, sorted by path; folders that hold a change count as modified. Leaves this thread in the upper tree. */
export function compare({ kind, upper, lower }: Comparison): readonly Changed[] {
  return kind === 'overlay' ? compareOverlay(upper, lower) : compareTrees(upper, lower);
}

/** Everything in an overlay's upper tree, by its own signs; whiteouts are character devices 0:0. */
export function upperEntries(upper: string): readonly (Found & { readonly isOpaque: boolean })[] {
  enter(upper);
  return [...walk('')].map((found) => ({ ...found, isOpaque: found.stat.isDirectory() && isOpaque(found.path) }));
}

function compareOverlay(upper: string, lower: string | undefined): readonly Changed[] {
  const entries = upperEntries(upper);
  if (lower !== undefined) enter(lower);
  const before = lower === undefined ? () => undefined : lowerLookup(entries);
  const inUpper = new Set(entries.map(({ path }) => path));
  const changes: Changed[] = [];
  for (const { path, stat, isOpaque: hidesAll } of entries) {
    const old = before(path);
    if (isWhiteout(stat)) {
      if (old !== undefined) changes.push({ path, kind: 'deleted' });
    } else if (old === undefined) changes.push({ path, kind: 'added', stat });
    else if (!isSame(old, stat)) changes.push({ path, kind: 'modified', stat });
    if (hidesAll && old?.isDirectory() === true) {
      for (const name of namesIn(path)) if (!inUpper.has(joined(path, name))) changes.push({ path: joined(path, name), kind: 'deleted' });
    }
  }
  const stats = new Map(entries.map(({ path, stat }) => [path, stat]));
  enter(upper);
  return withParents(changes, stats);
}

/** Lower entries by path, never through something that is no folder there. */
function lowerLookup(entries: readonly Found[]): (path: EntryPath) => Stats | undefined {
  const known = new Map<EntryPath, Stats | undefined>();
  for (const { path } of entries) {
    const parent = parentOf(path);
    const isReachable = parent === '' || known.get(parent)?.isDirectory() === true;
    known.set(path, isReachable ? statOf(path) : undefined);
  }
  return (path) => known.get(path);
}

function compareTrees(upper: string, lower: string | undefined): readonly Changed[] {
  const before = new Map<EntryPath, Stats>();
  if (lower !== undefined) {
    enter(lower);
    for (const { path, stat } of walk('')) before.set(path, stat);
  }
  enter(upper);
  const changes: Changed[] = [];
  const stats = new Map<EntryPath, Stats>();
  for (const { path, stat } of walk('')) {
    stats.set(path, stat);
    const old = before.get(path);
    if (old === undefined) changes.push({ path, kind: 'added', stat });
    else if (!isSame(old, stat)) changes.push({ path, kind: 'modified', stat });
    before.delete(path);
  }
  for (const path of before.keys()) {
    const parent = parentOf(path);
    // What was in a folder that is gone, or is something else now, went with it.
    if (parent === '' || stats.get(parent)?.isDirectory() === true) changes.push({ path, kind: 'deleted' });
  }
  return withParents(changes, stats);
}

function withParents(changes: readonly Changed[], stats: ReadonlyMap<EntryPath, Stats>): readonly Changed[] {
  const all = new Map(changes.map((change) => [change.path, change]));
  for (const { path } of changes) {
    for (let parent = parentOf(path); parent !== '' && !all.has(parent); parent = parentOf(parent)) {
      const stat = stats.get(parent);
      all.set(parent, stat === undefined ? { path: parent, kind: 'modified' } : { path: parent, kind: 'modified', stat });
    }
  }
  return [...all.values()].toSorted((left, right) => byCode(sortKey(left.path), sortKey(right.path)));
}

/** What is in a folder comes right after it. */
function sortKey(path: EntryPath): string {
  return path.replaceAll('/', '\0');
}

/** Content counts by size and time, as everywhere: a copy-up alone changes neither. */
function isSame(old: Stats, now: Stats): boolean {
  if (old.mode !== now.mode || old.uid !== now.uid || old.gid !== now.gid || old.rdev !== now.rdev) return false;
  return now.isDirectory() || (old.size === now.size && old.mtimeMs === now.mtimeMs);
}
