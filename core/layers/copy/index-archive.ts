import { writeSync } from 'node:fs';
import { invalidArgument } from '@gantry/sdk';
import { TarReader, type TarHandler, type TarHeader } from '../tar/index.ts';
import { cleanPath, shown, type EntryPath } from '../worker/entry-path.ts';
import { TarBuffer } from '../worker/tar-buffer.ts';
import { ContentHash } from './content-hash.ts';
import { emptyDigest, IndexTree } from './index-tree.ts';
import type { IndexNode, SharedNodes } from './node-memory.ts';

/** Limits that no honest build context comes near. */
const maxEntries = 1_000_000;
const maxBytes = 64 * 2 ** 30;

/** Reads an archive: contents go one behind the other into the file, what is said of them is the answer. `invalid_argument` names the entry. */
export async function indexArchive(fd: number, chunks: AsyncIterable<Buffer>, check: () => void): Promise<SharedNodes> {
  const indexer = new Indexer(fd);
  const reader = new TarReader(indexer);
  for await (const chunk of chunks) {
    check();
    reader.write(chunk);
  }
  reader.finish();
  return indexer.finish();
}

class Indexer implements TarHandler {
  readonly #tree: IndexTree;
  readonly #out: TarBuffer;
  #offset = 0;
  #entries = 0;
  #file: { readonly path: EntryPath; readonly node: IndexNode; readonly hash: ContentHash } | undefined;

  constructor(fd: number) {
    this.#tree = new IndexTree(fd);
    this.#out = new TarBuffer({
      write: (bytes) => {
        for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
      },
    });
  }

  entry(header: TarHeader): void {
    if (++this.#entries > maxEntries) throw invalidArgument(`more than ${maxEntries} files`);
    const path = cleanPath(header.name);
    if (header.type === '1') return this.#tree.addLink(path, cleanPath(header.linkName));
    const node = this.#nodeOf(header);
    if (node === undefined) return;
    if (header.uid < 0 || header.gid < 0 || header.uid > 0xfffffffe || header.gid > 0xfffffffe)
      throw invalidArgument(`${shown(path)}: owner ${header.uid}:${header.gid} is out of range`);
    this.#tree.add(path, node, node.type === '0' ? emptyDigest : '');
    if (node.type === '0' && node.size > 0) this.#file = { path, node, hash: new ContentHash() };
  }

  data(chunk: Buffer): void {
    if (this.#file === undefined) return;
    this.#take(chunk.length);
    this.#file.hash.update(chunk);
    this.#out.write(chunk);
  }

  hole(lengthBytes: number): void {
    if (this.#file === undefined) return;
    this.#take(lengthBytes);
    this.#out.zeros(lengthBytes);
    const zeros = Buffer.alloc(Math.min(lengthBytes, 64 * 1024));
    for (let left = lengthBytes; left > 0; left -= zeros.length) this.#file.hash.update(zeros.subarray(0, Math.min(left, zeros.length)));
  }

  end(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    const size = this.#offset - file.node.offset;
    this.#tree.settle(file.path, { ...file.node, size }, file.hash.digest());
  }

  finish(): SharedNodes {
    this.#out.flush();
    return this.#tree.shared;
  }

  #take(lengthBytes: number): void {
    this.#offset += lengthBytes;
    if (this.#offset > maxBytes) throw invalidArgument(`more than ${maxBytes} bytes`);
  }

  #nodeOf(header: TarHeader): IndexNode | undefined {
    const type = typeOf(header.type);
    if (type === undefined) return undefined;
    return {
      type,
      mode: header.mode & 0o7777,
      uid: header.uid,
      gid: header.gid,
      size: type === '0' ? header.size : 0,
      mtime: header.mtime.seconds,
      linkName: type === '2' ? header.linkName.toString('latin1') : '',
      deviceMajor: header.deviceMajor,
      deviceMinor: header.deviceMinor,
      capability: header.xattrs.get('security.capability')?.toString('base64') ?? '',
      inode: '',
      offset: this.#offset,
    };
  }
}

/** Kinds that say nothing about the tree are passed over, as when a layer is unpacked. */
function typeOf(type: string): IndexNode['type'] | undefined {
  if (type === '0' || type === '7' || type === 'S') return '0';
  return type === '2' || type === '3' || type === '4' || type === '5' || type === '6' ? type : undefined;
}
