import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { invalidArgument } from '@gantry/sdk';
import { endOfArchive, paddingBytes, tarHeader, type TarEntry } from '../tar/index.ts';
import { baseOf, type EntryPath, shown } from '../worker/entry-path.ts';
import { TarBuffer } from '../worker/tar-buffer.ts';
import type { SourceNode, SourceTree } from './source-tree.ts';

/** How an entry differs from what its tree says. */
export interface EntryChanges {
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly mode?: number | undefined;
  readonly mtime?: number | undefined;
}

/** Writes a layer's tar into an open file: each folder once, names of one file as hard links. */
export class LayerWriter {
  readonly #out: TarBuffer;
  readonly #hash = createHash('sha256');
  readonly #folders = new Set<EntryPath>();
  readonly #links = new Map<string, EntryPath>();
  #tarBytes = 0;

  constructor(fd: number) {
    this.#out = new TarBuffer({
      write: (bytes) => {
        this.#hash.update(bytes);
        for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
        this.#tarBytes += bytes.length;
      },
    });
  }

  /** `inodes`: tells links of one tree from those of another. Content is read from `tree` at `path`. */
  add(
    name: EntryPath,
    node: SourceNode,
    {
      tree,
      path,
      inodes,
      changes,
    }: { readonly tree?: SourceTree; readonly path?: EntryPath; readonly inodes?: string; readonly changes: EntryChanges },
  ): void {
    if (baseOf(name).startsWith('.wh.')) throw invalidArgument(`${shown(name)}: names that begin with .wh. mean something else in a layer`);
    const { uid, gid } = changes.owner ?? node;
    const entry = {
      name: Buffer.from(node.type === '5' ? `${name}/` : name, 'latin1'),
      mode: node.type === '2' ? 0o777 : (changes.mode ?? node.mode),
      uid,
      gid,
      mtime: changes.mtime ?? node.mtime,
      ...(node.capability === '' ? {} : { xattrs: new Map([['security.capability', Buffer.from(node.capability, 'base64')]]) }),
    };
    if (node.type === '5') this.#folder(name, entry);
    else if (node.type === '2') this.#header({ ...entry, type: '2', linkName: Buffer.from(node.linkName, 'latin1') });
    else if (node.type === '0') this.#file(name, node, { entry, tree, path, inodes });
    else this.#header({ ...entry, type: node.type, deviceMajor: node.deviceMajor, deviceMinor: node.deviceMinor });
  }

  finish(): { readonly digest: string; readonly tarBytes: number } {
    this.#out.write(endOfArchive);
    this.#out.flush();
    return { digest: `sha256:${this.#hash.digest('hex')}`, tarBytes: this.#tarBytes };
  }

  #folder(name: EntryPath, entry: Omit<TarEntry, 'type'>): void {
    if (name === '' || this.#folders.has(name)) return;
    this.#folders.add(name);
    this.#header({ ...entry, type: '5' });
  }

  #file(
    name: EntryPath,
    node: SourceNode,
    {
      entry,
      tree,
      path,
      inodes,
    }: {
      readonly entry: Omit<TarEntry, 'type'>;
      readonly tree: SourceTree | undefined;
      readonly path: EntryPath | undefined;
      readonly inodes: string | undefined;
    },
  ): void {
    const inode = node.inode === '' ? undefined : `${inodes}:${node.inode}`;
    const first = inode === undefined ? undefined : this.#links.get(inode);
    if (first !== undefined && first !== name) return this.#header({ ...entry, type: '1', linkName: Buffer.from(first, 'latin1') });
    if (inode !== undefined) this.#links.set(inode, name);
    this.#header({ ...entry, type: '0', size: node.size });
    tree?.copyContent(path ?? '', this.#out);
    this.#out.zeros(paddingBytes(node.size));
  }

  #header(entry: TarEntry): void {
    this.#out.write(tarHeader(entry));
  }
}
