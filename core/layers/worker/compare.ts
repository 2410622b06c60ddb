import type { Stats } from 'node:fs';
import { type EntryPath, joined, parentOf } from './entry-path.ts';
import { isOpaque } from './overlay-notes.ts';
import type { Comparison } from './protocol.ts';
import { enter } from './root.ts';
import { isWhiteout, namesIn, statOf } from './tree.ts';
import { type Found, walk } from './walk.ts';

export interface Changed {
  readonly path: EntryPath;
  readonly kind: 'modified' | 'added' | 'deleted';
}

/** What the upper tree changed, sorted by path; folders that hold a change count as modified. Leaves this thread in the upper tree. */
export function compare({ kind, upper, lower }: Comparison): readonly Changed[] {
  return kind === 'overlay' ? compareOverlay(upper, lower) : compareTrees(upper, lower);
}

/** Everything in an overlay's upper tree, by its own signs; whiteouts are character devices 0:0. Of what is read nothing is kept. */
export function* upperEntries(upper: string): Generator<Found & { readonly isOpaque: boolean }, void> {
  enter(upper);
  for (const { path, stat } of walk('')) yield { path, stat, isOpaque: stat.isDirectory() && isOpaque(path) };
}

/** One thing in the upper tree: no more of it than the comparison takes, since there may be many. */
interface Entry {
  readonly path: EntryPath;
  readonly facts: Facts;
  readonly isWhiteout: boolean;
  readonly isOpaque: boolean;
  /** The folder that it is in; undefined at the top. */
  readonly parent: Entry | undefined;
  /** Whether a folder of the lower tree is in its place. */
  hidesFolder: boolean;
  kind: Changed['kind'] | undefined;
}

function compareOverlay(upper: string, lower: string | undefined): readonly Changed[] {
  const entries = entriesOf(upper);
  const further: Changed[] = [];
  if (lower !== undefined) enter(lower);
  const folders = new Map<Entry | undefined, Set<string>>();
  for (const entry of entries) {
    const isReachable = lower !== undefined && (entry.parent === undefined || entry.parent.hidesFolder);
    judge(entry, isReachable ? statOf(entry.path) : undefined);
    if (entry.isOpaque && entry.hidesFolder) folders.set(entry, new Set());
  }
  for (const { parent, path } of folders.size > 0 ? entries : []) folders.get(parent)?.add(path);
  for (const [entry, kept] of folders) {
    if (entry === undefined) continue;
    for (const name of namesIn(entry.path)) {
      const path = joined(entry.path, name);
      if (kept.has(path)) continue;
      further.push({ path, kind: 'deleted' });
      entry.kind ??= 'modified';
    }
  }
  enter(upper);
  // From the last to the first, so that a change reaches all folders above it.
  for (const { kind, parent } of entries.toReversed()) if (kind !== undefined && parent !== undefined) parent.kind ??= 'modified';
  const changes = entries.flatMap(({ path, kind }): readonly Changed[] => (kind === undefined ? [] : [{ path, kind }]));
  return further.length === 0 ? changes : inOrder([...changes, ...further]);
}

function entriesOf(upper: string): readonly Entry[] {
  const entries: Entry[] = [];
  let folder: Entry | undefined;
  for (const { path, stat, isOpaque: hidesAll } of upperEntries(upper)) {
    const above = parentOf(path);
    while (folder !== undefined && folder.path !== above) folder = folder.parent;
    const entry: Entry = {
      path,
      facts: factsOf(stat),
      isWhiteout: isWhiteout(stat),
      isOpaque: hidesAll,
      parent: folder,
      hidesFolder: false,
      kind: undefined,
    };
    entries.push(entry);
    if (stat.isDirectory()) folder = entry;
  }
  return entries;
}

function judge(entry: Entry, old: Stats | undefined): void {
  entry.hidesFolder = old?.isDirectory() === true;
  if (entry.isWhiteout) entry.kind = old === undefined ? undefined : 'deleted';
  else if (old === undefined) entry.kind = 'added';
  else if (!isSame(factsOf(old), entry.facts)) entry.kind = 'modified';
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
