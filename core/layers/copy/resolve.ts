import { invalidArgument } from '@gantry/sdk';
import { type EntryPath, joined, parentOf, shown } from '../worker/entry-path.ts';
import type { SourceNode } from './source-tree.ts';

const mostLinks = 40;

/** Anything that knows what is at a path, without following symlinks. */
export interface Nodes<Node> {
  node(path: EntryPath): Node | undefined;
}

/**
 * Where a path leads when symlinks are followed inside the tree, the last part too unless `keepsLast`; also where nothing is. `..` stops
 * at the root. Throws `invalid_argument` for a loop or a way through something that is no folder.
 */
export function resolvePath<Node extends Pick<SourceNode, 'type' | 'linkName'>>(
  tree: Nodes<Node>,
  path: EntryPath,
  { keepsLast = false }: { readonly keepsLast?: boolean } = {},
): { readonly path: EntryPath; readonly node: Node | undefined } {
  const parts = path.split('/');
  let resolved = '';
  for (let links = 0; ; ) {
    const part = parts.shift();
    if (part === undefined) return { path: resolved, node: tree.node(resolved) };
    if (part === '' || part === '.') continue;
    if (part === '..') {
      resolved = parentOf(resolved);
      continue;
    }
    const next = joined(resolved, part);
    const node = tree.node(next);
    const isLast = parts.every((left) => left === '' || left === '.');
    if (node?.type === '2' && !(isLast && keepsLast)) {
      if (++links > mostLinks) throw invalidArgument(`${shown(path)}: too many levels of symbolic links`);
      if (node.linkName.startsWith('/')) resolved = '';
      parts.unshift(...node.linkName.split('/'));
      continue;
    }
    if (node !== undefined && node.type !== '5' && !isLast) throw invalidArgument(`${shown(path)}: ${shown(next)} is not a directory`);
    resolved = next;
  }
}

/** As `resolvePath` for a path as users write it. */
export function resolveSource<Node extends Pick<SourceNode, 'type' | 'linkName'>>(
  tree: Nodes<Node>,
  path: string,
): { readonly path: EntryPath; readonly node: Node | undefined } {
  return resolvePath(tree, Buffer.from(path).toString('latin1'));
}
