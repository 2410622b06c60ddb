import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { invalidArgument } from '@gantry/sdk';
import { baseOf, type EntryPath, joined, parentOf, shown } from '../worker/entry-path.ts';
import type { TarBuffer } from '../worker/tar-buffer.ts';
import { type IndexNode, NodeMemory, type SharedNodes } from './node-memory.ts';
import { resolvePath } from './resolve.ts';
import { plainFolder, type SourceTree } from './source-tree.ts';

const impliedFolder: IndexNode = { ...plainFolder, offset: 0 };
const root = 0;

/** What an archive holds, without a file of it being made: names in memory, contents in one file, `fd`, which whoever opened it closes. */
export class IndexTree implements SourceTree {
  readonly #nodes: NodeMemory;
  readonly fd: number;

  constructor(fd: number, nodes?: SharedNodes) {
    this.fd = fd;
    this.#nodes = new NodeMemory(nodes);
    if (nodes === undefined) this.#nodes.add(-1, '', impliedFolder, '');
  }

  get size(): number {
    return this.#nodes.count;
  }

  /** For another thread, when nothing is added any more. */
  get shared(): SharedNodes {
    return this.#nodes.shared;
  }

  /** As unpacking does it: symlinks on the way lead to where they lead inside the tree, what is in the place gives way, missing folders are made. */
  add(path: EntryPath, node: IndexNode, digest = ''): void {
    if (path === '') return this.#addRoot(node);
    checkLengths(path, node);
    const folder = this.#folderFor(parentOf(path));
    const name = baseOf(path);
    const there = this.#nodes.child(folder, name, 0, name.length);
    const staysInPlace = there >= 0 && this.#nodes.isFolder(there) === (node.type === '5');
    if (staysInPlace) this.#nodes.set(there, node, digest);
    else this.#nodes.add(folder, name, node, digest);
  }

  #addRoot(node: IndexNode): void {
    if (node.type !== '5') throw invalidArgument('the root of the archive is no folder');
  }

  /** Another name for a file that is there; `invalid_argument` when none is. */
  addLink(path: EntryPath, wanted: EntryPath): void {
    const id = this.#find(this.#real(wanted));
    const node = id < 0 ? undefined : this.#nodes.node(id);
    if (node === undefined || node.type === '5') throw invalidArgument(`${shown(path)}: hardlink target ${shown(wanted)} not found`);
    const linked = { ...node, inode: node.inode === '' ? `${node.offset}:${wanted}` : node.inode };
    const digest = this.#nodes.digest(id);
    this.#nodes.set(id, linked, digest);
    this.add(path, linked, digest);
  }

  /** Replaces what is known of a file when its content has been read. */
  settle(path: EntryPath, node: IndexNode, digest: string): void {
    const id = this.#find(this.#real(path));
    if (id >= 0) this.#nodes.set(id, node, digest);
  }

  node(path: EntryPath): IndexNode | undefined {
    const id = this.#find(path);
    return id < 0 ? undefined : this.#nodes.node(id);
  }

  names(folder: EntryPath): readonly string[] {
    const id = this.#find(folder);
    return id < 0 ? [] : this.#nodes.names(id).toSorted();
  }

  contentDigest(path: EntryPath): string {
    const id = this.#find(path);
    return id < 0 ? '' : this.#nodes.digest(id);
  }

  head(path: EntryPath, sizeBytes: number): Buffer {
    const { offset = 0, size = 0 } = this.node(path) ?? {};
    const bytes = Buffer.alloc(Math.min(sizeBytes, size));
    return bytes.subarray(0, readSync(this.fd, bytes, 0, bytes.length, offset));
  }

  copyContent(path: EntryPath, out: TarBuffer): void {
    const { offset = 0, size = 0 } = this.node(path) ?? {};
    out.content(this.fd, size, offset);
  }

  /** Links on the way followed, the last part as it is. */
  #real(path: EntryPath): EntryPath {
    return joined(resolvePath(this, parentOf(path)).path, baseOf(path));
  }

  /** Undefined as -1. */
  #find(path: EntryPath): number {
    let id = path === '' ? root : this.#nodes.child(root, path, 0, endOfPart(path, 0));
    for (let start = endOfPart(path, 0) + 1; start < path.length && id >= 0; start = endOfPart(path, start) + 1)
      id = this.#nodes.child(id, path, start, endOfPart(path, start));
    return id;
  }

  #folderFor(path: EntryPath): number {
    const known = this.#find(path);
    if (known >= 0 && this.#nodes.isFolder(known)) return known;
    const { path: real, node } = resolvePath(this, path);
    if (node !== undefined && node.type !== '5') throw invalidArgument(`${shown(path)} is no folder, and something lies in it`);
    let folder = root;
    for (const name of real === '' ? [] : real.split('/')) {
      const there = this.#nodes.child(folder, name, 0, name.length);
      folder = there >= 0 ? there : this.#nodes.add(folder, name, impliedFolder, '');
    }
    return folder;
  }
}

function endOfPart(path: EntryPath, start: number): number {
  const slash = path.indexOf('/', start);
  return slash < 0 ? path.length : slash;
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
export const emptyFile: IndexNode = { ...impliedFolder, type: '0', mode: 0o644 };
