import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { invalidArgument } from '@gantry/sdk';
import { baseOf, type EntryPath, joined, parentOf, shown } from '../worker/entry-path.ts';
import type { TarBuffer } from '../worker/tar-buffer.ts';
import { resolvePath } from './resolve.ts';
import { plainFolder, type SourceNode, type SourceTree } from './source-tree.ts';

/** A thing of an archive, and where its content lies in the file of contents. */
export interface IndexNode extends SourceNode {
  readonly offset: number;
  readonly digest: string;
}
export type IndexEntries = readonly (readonly [path: EntryPath, node: IndexNode])[];

const impliedFolder: IndexNode = { ...plainFolder, offset: 0, digest: '' };

/** What an archive holds, without a file of it being made: names in memory, contents in one file, `fd`, which whoever opened it closes. */
export class IndexTree implements SourceTree {
  readonly #nodes = new Map<EntryPath, IndexNode>([['', impliedFolder]]);
  readonly #names = new Map<EntryPath, Set<string>>([['', new Set()]]);
  readonly #sorted = new Map<EntryPath, readonly string[]>();
  readonly fd: number;

  constructor(fd: number, entries: IndexEntries = []) {
    this.fd = fd;
    for (const [path, node] of entries) this.#put(path, node);
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** Folders before what is in them. */
  entries(): IndexEntries {
    return [...this.#nodes].filter(([path]) => path !== '');
  }

  /** As unpacking does it: symlinks on the way lead to where they lead inside the tree, what is in the place gives way, missing folders are made. */
  add(path: EntryPath, node: IndexNode): void {
    if (path === '') return this.#addRoot(node);
    checkLengths(path, node);
    const folder = this.#folderFor(parentOf(path));
    const real = joined(folder, baseOf(path));
    const there = this.#nodes.get(real);
    if (there?.type === '5' && node.type === '5') return void this.#nodes.set(real, node);
    if (there !== undefined) this.#remove(real);
    this.#put(real, node);
  }

  #addRoot(node: IndexNode): void {
    if (node.type !== '5') throw invalidArgument('the root of the archive is no folder');
  }

  /** Another name for a file that is there; `invalid_argument` when none is. */
  addLink(path: EntryPath, wanted: EntryPath): void {
    const node = this.#nodes.get(joined(resolvePath(this, parentOf(wanted)).path, baseOf(wanted)));
    if (node === undefined || node.type === '5') throw invalidArgument(`${shown(path)}: hardlink target ${shown(wanted)} not found`);
    const linked = { ...node, inode: node.inode === '' ? `${node.offset}:${wanted}` : node.inode };
    this.settle(wanted, linked);
    this.add(path, linked);
  }

  /** Replaces what is known of a file when its content has been read. */
  settle(path: EntryPath, node: IndexNode): void {
    const real = joined(resolvePath(this, parentOf(path)).path, baseOf(path));
    if (this.#nodes.has(real)) this.#nodes.set(real, node);
  }

  node(path: EntryPath): IndexNode | undefined {
    return this.#nodes.get(path);
  }

  names(folder: EntryPath): readonly string[] {
    let sorted = this.#sorted.get(folder);
    if (sorted === undefined) {
      sorted = [...(this.#names.get(folder) ?? [])].toSorted();
      this.#sorted.set(folder, sorted);
    }
    return sorted;
  }

  contentDigest(path: EntryPath): string {
    return this.#nodes.get(path)?.digest ?? '';
  }

  head(path: EntryPath, sizeBytes: number): Buffer {
    const { offset = 0, size = 0 } = this.#nodes.get(path) ?? {};
    const bytes = Buffer.alloc(Math.min(sizeBytes, size));
    return bytes.subarray(0, readSync(this.fd, bytes, 0, bytes.length, offset));
  }

  copyContent(path: EntryPath, out: TarBuffer): void {
    const { offset = 0, size = 0 } = this.#nodes.get(path) ?? {};
    out.content(this.fd, size, offset);
  }

  #folderFor(path: EntryPath): EntryPath {
    if (this.#nodes.get(path)?.type === '5') return path;
    const { path: real, node } = resolvePath(this, path);
    if (node !== undefined && node.type !== '5') throw invalidArgument(`${shown(path)} is no folder, and something lies in it`);
    for (let at = 0; at >= 0; ) {
      at = real.indexOf('/', at + 1);
      const part = at < 0 ? real : real.slice(0, at);
      if (!this.#nodes.has(part)) this.#put(part, impliedFolder);
    }
    return real;
  }

  #put(path: EntryPath, node: IndexNode): void {
    this.#nodes.set(path, node);
    if (node.type === '5' && !this.#names.has(path)) this.#names.set(path, new Set());
    this.#names.get(parentOf(path))?.add(baseOf(path));
    this.#sorted.delete(parentOf(path));
  }

  #remove(path: EntryPath): void {
    const below = [path];
    for (const each of below) {
      for (const name of this.#names.get(each) ?? []) below.push(joined(each, name));
      this.#names.delete(each);
      this.#nodes.delete(each);
      this.#sorted.delete(each);
    }
    this.#names.get(parentOf(path))?.delete(baseOf(path));
    this.#sorted.delete(parentOf(path));
  }
}

/** What no file system takes, said before one has to. */
function checkLengths(path: EntryPath, { type, linkName }: IndexNode): void {
  if (path.length > longestPath) throw invalidArgument(`${shown(path)}: a path of ${path.length} bytes, at most ${longestPath}`);
  const long = path.length > longestName ? path.split('/').find((name) => name.length > longestName) : undefined;
  if (long !== undefined) throw invalidArgument(`${shown(path)}: a name of ${long.length} bytes, at most ${longestName}`);
  if (type === '2' && (linkName === '' || linkName.length > longestTarget))
    throw invalidArgument(`${shown(path)}: a symlink to ${linkName.length} bytes: from 1 to ${longestTarget}`);
}

const [longestPath, longestName, longestTarget] = [4096, 255, 4095];

/** The digest of no content. */
export const emptyDigest: string = createHash('sha256').digest('hex');

/** A file of root's without content, to begin from. */
export const emptyFile: IndexNode = { ...impliedFolder, type: '0', mode: 0o644, digest: emptyDigest };
