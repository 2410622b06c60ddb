import { invalidArgument } from '@gantry/sdk';
import { ignores, type Ignores, pathMatcher } from '@gantry/sdk/builder';
import { baseOf, cleanPath, type EntryPath, joined, textOf } from '../worker/entry-path.ts';
import { resolvePath } from './resolve.ts';
import type { SourceNode, SourceTree } from './source-tree.ts';

/** Which things of a tree are meant. */
export interface Choice {
  /** Paths or patterns of Go's filepath.Match, from the root of the tree. */
  readonly sources: readonly string[];
  /** Patterns as in a .dockerignore, from the root of the tree. */
  readonly exclude?: readonly string[] | undefined;
  /** Keep the folders above each source; what stands behind a part "." counts as above nothing. */
  readonly parents?: boolean | undefined;
}
/** One thing that a source turned out to mean. */
export interface Chosen {
  /** Where it is, symlinks followed. */
  readonly path: EntryPath;
  readonly node: SourceNode;
  /** What it is called at the destination: '' for the content of a folder. */
  readonly name: EntryPath;
}

/** In the order of the sources, those of a pattern by their names. `not_found` for a source that is nothing. */
export function choose(tree: SourceTree, { sources, exclude = [], parents = false }: Choice): readonly Chosen[] {
  const isLeftOut = ignores(exclude);
  return sources.flatMap((source) => {
    const found = isPattern(source) ? matching(tree, source) : [cleanSource(source)];
    const chosen = found.flatMap((path) => chosenAt(tree, path, parents ? parentName(source, path) : undefined));
    const kept = chosen.filter(({ path }) => path === '' || isLeftOut.hasExceptions || !isLeftOut(textOf(path)));
    if (chosen.length === 0) throw invalidArgument(`${JSON.stringify(source)}: not found`, { reason: 'SOURCE_NOT_FOUND' });
    return kept;
  });
}

/** Everything in a chosen folder that is not left out, folders before what is in them. Paths are below the folder. */
export function* inside(
  tree: SourceTree,
  folder: EntryPath,
  exclude: readonly string[] = [],
): Generator<{ readonly path: EntryPath; readonly below: EntryPath; readonly node: SourceNode }, void> {
  const isLeftOut = ignores(exclude);
  for (const found of walkTree(tree, folder, isLeftOut))
    if (!isLeftOut(textOf(found.path))) yield { ...found, below: found.path.slice(folder === '' ? 0 : folder.length + 1) };
}

/** Iterative: anybody decides how deep the tree is. */
function* walkTree(tree: SourceTree, folder: EntryPath, isLeftOut: Ignores): Generator<{ path: EntryPath; node: SourceNode }, void> {
  const pending = [{ folder, names: tree.names(folder), next: 0 }];
  for (let level = pending.at(-1); level !== undefined; level = pending.at(-1)) {
    const name = level.names[level.next++];
    if (name === undefined) {
      pending.pop();
      continue;
    }
    const path = joined(level.folder, name);
    const node = tree.node(path);
    if (node === undefined) continue;
    yield { path, node };
    if (node.type === '5' && (isLeftOut.hasExceptions || !isLeftOut(textOf(path))))
      pending.push({ folder: path, names: tree.names(path), next: 0 });
  }
}

function chosenAt(tree: SourceTree, path: EntryPath, parentsName: EntryPath | undefined): readonly Chosen[] {
  const { path: real, node } = resolvePath(tree, path);
  if (node === undefined) return [];
  return [{ path: real, node, name: parentsName ?? (node.type === '5' ? '' : baseOf(path)) }];
}

/** From the root of the tree, `..` stopping there, as latin1 text. */
function cleanSource(source: string): EntryPath {
  const parts: string[] = [];
  for (const part of source.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return cleanPath(Buffer.from(parts.join('/')));
}

/** What `--parents` keeps of a path: all, or what follows the part "." that the source was written with. */
function parentName(source: string, path: EntryPath): EntryPath {
  const parts = source.split('/').filter((part) => part !== '');
  const pivot = parts.indexOf('.', 1);
  return pivot < 0
    ? path
    : path
        .split('/')
        .slice(parts.slice(0, pivot).filter((part) => part !== '.').length)
        .join('/');
}

export function isPattern(source: string): boolean {
  return /[*?[\\]/.test(source);
}

/** Paths that fit a pattern: each of its segments looks through the folders that the ones before it found. */
function matching(tree: SourceTree, pattern: string): readonly EntryPath[] {
  let found: readonly EntryPath[] = [''];
  for (const segment of pattern.split('/')) {
    if (segment === '' || segment === '.') continue;
    const matches = pathMatcher(segment);
    if (matches === undefined) throw invalidArgument(`syntax error in pattern ${JSON.stringify(pattern)}`);
    found = found.flatMap((folder) =>
      tree
        .names(resolvePath(tree, folder).path)
        .filter((name) => matches(textOf(name)))
        .map((name) => joined(folder, name)),
    );
  }
  return found;
}
