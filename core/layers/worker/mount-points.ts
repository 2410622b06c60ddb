import { resolvePath } from '../copy/resolve.ts';
import { RootTree } from '../copy/root-tree.ts';
import { cleanPath, type EntryPath, joined, parentOf } from './entry-path.ts';
import type { Comparison } from './protocol.ts';
import { enter } from './root.ts';
import { namesIn, statOf } from './tree.ts';

/**
 * Of places where something was mounted, and the folders above them, those that are there for that alone: the tree below has none, and they
 * hold nothing. Takes the tree below whole. Leaves this thread in the upper tree.
 */
export function emptyMountPoints({ upper, lower: [lower] }: Comparison, mountPoints: readonly string[]): ReadonlySet<EntryPath> {
  const empty = new Set<EntryPath>();
  if (mountPoints.length === 0) return empty;
  const places = mountPoints.map((path) => cleanPath(Buffer.from(path)));
  let made: readonly EntryPath[] = places.flatMap(withFoldersAbove);
  if (lower !== undefined) {
    enter(lower);
    const tree = new RootTree();
    made = places
      .map((path) => resolvePath(tree, path).path)
      .flatMap(withFoldersAbove)
      .filter((path) => statOf(path) === undefined);
  }
  enter(upper);
  // What lies deeper comes first.
  for (const path of [...new Set(made)].toSorted((left, right) => right.split('/').length - left.split('/').length))
    if (holdsNothing(path, empty)) empty.add(path);
  return empty;
}

function holdsNothing(path: EntryPath, empty: ReadonlySet<EntryPath>): boolean {
  const stat = statOf(path);
  if (stat === undefined) return false;
  if (stat.isDirectory()) return namesIn(path).every((name) => empty.has(joined(path, name)));
  return stat.isFile() && stat.size === 0 && stat.nlink === 1;
}

function withFoldersAbove(path: EntryPath): readonly EntryPath[] {
  const found: EntryPath[] = [];
  for (let at = path; at !== ''; at = parentOf(at)) found.push(at);
  return found;
}
