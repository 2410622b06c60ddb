import { invalidArgument } from '@gantry/sdk';
import type { ModeChange } from '@gantry/sdk/engine';
import { cleanPath, type EntryPath, joined, parentOf, shown } from '../worker/entry-path.ts';
import { enter } from '../worker/root.ts';
import { choose, type Choice, inside } from './choose.ts';
import { IndexTree } from './index-tree.ts';
import { LayerWriter } from './layer-writer.ts';
import type { SharedNodes } from './node-memory.ts';
import { resolvePath } from './resolve.ts';
import { RootTree } from './root-tree.ts';
import { plainFolder, type SourceNode, type SourceTree } from './source-tree.ts';

export type CopySource =
  | { readonly kind: 'index'; readonly fd: number; readonly nodes: SharedNodes }
  | { readonly kind: 'root'; readonly root: string };

/** One COPY: what of which tree goes where. */
export interface Copying extends Choice {
  readonly source: CopySource;
  /** Absolute; a slash at the end makes it a folder. */
  readonly destination: string;
  /** More than one source was written, or a pattern: the destination must be a folder. */
  readonly isMany: boolean;
  /** Owner of everything that is made; without it the tree's own. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly mode?: number | readonly ModeChange[] | undefined;
}

export interface ComposeJob {
  /** The merged tree below the new layer; undefined: there is nothing. */
  readonly lower: string | undefined;
  readonly copies: readonly Copying[];
  readonly fd: number;
  /** Of folders that are made on the way. */
  readonly mtimeSeconds: number;
  /** Nothing is younger. */
  readonly latestSeconds?: number | undefined;
}

/** Writes the layer that these copies make over the tree below. Switches this thread's root between the trees. */
export function composeLayer({ lower, copies, fd, ...times }: ComposeJob): ReturnType<LayerWriter['finish']> {
  const writer = new LayerWriter(fd);
  const made = new Map<EntryPath, SourceNode>();
  for (const [at, copying] of copies.entries())
    new Copier({ writer, made, lower, copying, inodes: String(at), isLast: at === copies.length - 1, ...times }).run();
  return writer.finish();
}

/** A root is entered by whoever reads it. */
export function sourceTree(source: CopySource): SourceTree {
  return source.kind === 'index' ? new IndexTree(source.fd, source.nodes) : new RootTree();
}

interface CopierParts extends Omit<ComposeJob, 'copies' | 'fd'> {
  readonly writer: LayerWriter;
  /** What the copies before this one made. */
  readonly made: Map<EntryPath, SourceNode>;
  readonly copying: Copying;
  readonly inodes: string;
  readonly isLast: boolean;
}

interface PutChanges {
  readonly owner?: Copying['owner'];
  readonly mode?: Copying['mode'];
  readonly mtime?: number;
  /** Nothing is copied behind what it is part of. */
  readonly isLast?: boolean;
}

class Copier {
  readonly #parts: CopierParts;
  readonly #tree: SourceTree;
  readonly #below = new RootTree();
  #root: string | undefined;
  /** Folders of the tree below that are named again when something is put into them: else there is nothing to say. */
  readonly #passed = new Map<EntryPath, SourceNode>();

  constructor(parts: CopierParts) {
    this.#parts = parts;
    this.#tree = sourceTree(parts.copying.source);
  }

  run(): void {
    const { copying } = this.#parts;
    const chosen = this.#inSource(() => choose(this.#tree, copying));
    for (const [at, { path, node, name }] of chosen.entries()) {
      const isFolder = node.type === '5';
      const destination = this.#inLower(() => resolvePath(this.#merged, cleanPath(Buffer.from(copying.destination))));
      const isInto = isFolder || this.#mustBeFolder || destination.node?.type === '5' || destination.path === '';
      if (isInto && destination.node !== undefined && destination.node.type !== '5')
        throw invalidArgument(`cannot copy to non-directory: /${destination.path}`);
      this.#makeFolders(isInto ? destination.path : parentOf(destination.path), { leavesLast: isFolder && name === '' });
      this.#copyParents(destination.path, path, name);
      const target = isInto && name !== '' ? joined(destination.path, name) : destination.path;
      if (isFolder) this.#folder(target, path, { node, isLast: this.#parts.isLast && at === chosen.length - 1 });
      else this.#file(target, path, node);
    }
  }

  get #mustBeFolder(): boolean {
    const { isMany, parents, destination } = this.#parts.copying;
    return isMany || parents === true || destination.endsWith('/');
  }

  /** With `--parents` a name has folders in it, which are made as they are in the source. */
  #copyParents(destination: EntryPath, path: EntryPath, name: EntryPath): void {
    const parts = name.split('/');
    const from = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const node = this.#inSource(() => this.#tree.node(from.slice(0, from.length - parts.length + depth).join('/')));
      const target = joined(destination, parts.slice(0, depth).join('/'));
      if (node?.type === '5' && !this.#parts.made.has(target)) this.#put(target, node, { owner: this.#parts.copying.owner });
    }
  }

  /** Folders of the tree below are named again as they are, so that the layer says all of itself; the last one may be the source's to describe. */
  #makeFolders(path: EntryPath, { leavesLast }: { readonly leavesLast: boolean }): void {
    const parts = path === '' ? [] : path.split('/');
    for (let depth = 1; depth <= parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/');
      const there = this.#lowerNode(folder);
      if (there === undefined && leavesLast && depth === parts.length) return;
      if (there !== undefined && there.type !== '5') throw invalidArgument(`${shown(folder)} is not a directory`);
      if (there === undefined) this.#put(folder, plainFolder, { owner: this.#parts.copying.owner, mtime: this.#parts.mtimeSeconds });
      else if (!this.#parts.made.has(folder)) this.#passed.set(folder, there);
    }
  }

  /** The content of a folder; the folder itself is described by the source only where it is new. */
  #folder(target: EntryPath, path: EntryPath, { node, isLast }: { readonly node: SourceNode; readonly isLast: boolean }): void {
    const { owner, mode, exclude } = this.#parts.copying;
    if (this.#lowerNode(target) === undefined) this.#put(target, node, { owner, mode });
    const walk = inside(this.#tree, path, exclude);
    for (let next = this.#inSource(() => walk.next()); next.done !== true; next = this.#inSource(() => walk.next())) {
      const { value: each } = next;
      this.#put(target === '' ? each.below : joined(target, each.below), each.node, { owner, mode, isLast }, each.path);
    }
  }

  #file(target: EntryPath, path: EntryPath, node: SourceNode): void {
    const { owner, mode } = this.#parts.copying;
    if (this.#lowerNode(target)?.type === '5') throw invalidArgument(`cannot replace to directory /${target} with file`);
    this.#put(target, node, { owner, mode }, path);
  }

  #put(name: EntryPath, node: SourceNode, { isLast = false, ...changes }: PutChanges, path?: EntryPath): void {
    const { writer, made, inodes, latestSeconds = Infinity } = this.#parts;
    for (const [folder, there] of this.#passed) {
      if (!made.has(folder)) writer.add(folder, there, { inodes, changes: {} });
      made.set(folder, there);
    }
    this.#passed.clear();
    const mtime = Math.min(changes.mtime ?? node.mtime, latestSeconds);
    const mode = modeOf(node, changes.mode);
    this.#inSource(() =>
      writer.add(name, node, { tree: this.#tree, ...(path === undefined ? {} : { path }), inodes, changes: { ...changes, mode, mtime } }),
    );
    // Behind the last nobody asks any more: of a large tree all would be held.
    if (!isLast) made.set(name, node);
  }

  /** The tree below with what was made over it. */
  readonly #merged = {
    node: (path: EntryPath): SourceNode | undefined =>
      this.#parts.made.get(path) ?? (this.#parts.lower === undefined ? undefined : this.#below.node(path)),
  };

  #lowerNode(path: EntryPath): SourceNode | undefined {
    return this.#inLower(() => this.#merged.node(path));
  }

  #inLower<T>(work: () => T): T {
    if (this.#parts.lower !== undefined) this.#enter(this.#parts.lower);
    return work();
  }

  #inSource<T>(work: () => T): T {
    if (this.#parts.copying.source.kind === 'root') this.#enter(this.#parts.copying.source.root);
    return work();
  }

  #enter(root: string): void {
    if (this.#root !== root) enter(root);
    this.#root = root;
  }
}

function modeOf({ type, mode }: SourceNode, wanted: Copying['mode']): number | undefined {
  if (wanted === undefined || typeof wanted === 'number') return wanted;
  return wanted.reduce((bits, { clear, set, setExecutable }) => {
    const isExecutable = type === '5' || (bits & 0o111) !== 0;
    return (bits & ~clear) | set | (isExecutable ? setExecutable : 0);
  }, mode);
}
