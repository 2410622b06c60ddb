import { closeSync, createReadStream, writeSync } from 'node:fs';
import { type Abortable, invalidArgument } from '@gantry/sdk';
import type { BuildTree, TreeFile } from '@gantry/sdk/engine';
import { openUnnamed } from '@gantry/sdk/linux';
import type { Content } from '../content/index.ts';
import type { ImagesRoom } from '../images/index.ts';
import {
  choiceDigest,
  cleanPath,
  choose,
  ContentHash,
  type CopySource,
  decompressed,
  emptyFile,
  IndexTree,
  isTarHead,
  type Layers,
  plainStream,
  resolveSource,
  type Rootfs,
  sniff,
  wayDigest,
} from '../layers/index.ts';
import { shortRandom } from '../support/index.ts';
import { filesTar } from './layout.ts';

export interface TreesParts {
  readonly content: Content;
  readonly images: ImagesRoom;
  readonly layers: Layers;
}

/** What a builder copies from; the engine's side of a BuildTree. */
export interface OpenTree extends BuildTree {
  readonly source: CopySource;
  /** Files of a context belong to nobody, those of an image to whom they say. */
  readonly keepsOwners: boolean;
  /** Those of these sources that are archives, opened; the other sources stay. */
  unpacked(
    sources: readonly string[],
    options: Abortable,
  ): Promise<{ readonly plain: readonly string[]; readonly archives: readonly OpenTree[] }>;
}

/** The trees that builds have open. */
export class Trees {
  readonly #parts: TreesParts;
  readonly #open = new Map<string, OpenTree>();

  constructor(parts: TreesParts) {
    this.#parts = parts;
  }

  /** What a builder was given before; it hands back an id and nothing else that counts. */
  get({ id }: BuildTree): OpenTree {
    const tree = this.#open.get(id);
    if (tree === undefined) throw invalidArgument(`no tree ${id} is open`);
    return tree;
  }

  async openArchive(tar: AsyncIterable<Buffer>, options: Abortable & { readonly keepsOwners?: boolean } = {}): Promise<OpenTree> {
    const { fd, tree } = await this.openIndex(tar, options);
    return this.#opened((id, forget) => new ArchiveTree(id, { fd, tree, trees: this, layers: this.#parts.layers, forget, ...options }));
  }

  async openFiles(files: Iterable<TreeFile> | AsyncIterable<TreeFile>, { signal }: Abortable = {}): Promise<OpenTree> {
    const { fd, tree } = await this.#indexOf(files, signal);
    return this.#opened((id, forget) => new ArchiveTree(id, { fd, tree, trees: this, layers: this.#parts.layers, forget }));
  }

  /** The image that an OCI layout of these files is. */
  async loadLayout(files: AsyncIterable<TreeFile>, { signal }: Abortable = {}): Promise<{ readonly id: string }> {
    const { fd, tree } = await this.#indexOf(files, signal);
    try {
      const [loaded] = await this.#parts.images.load(filesTar(tree), signal === undefined ? {} : { signal });
      if (loaded === undefined) throw invalidArgument('the OCI layout has no image');
      return { id: loaded.id };
    } finally {
      closeSync(fd);
    }
  }

  async #indexOf(
    files: Iterable<TreeFile> | AsyncIterable<TreeFile>,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly fd: number; readonly tree: IndexTree }> {
    const fd = openUnnamed(this.#parts.content.ingestFolder);
    try {
      const tree = new IndexTree(fd);
      let offset = 0;
      for await (const file of files) {
        const path = cleanPath(Buffer.from(file.name));
        if (file.kind === 'link') {
          tree.addLink(path, cleanPath(Buffer.from(file.target ?? '')));
          continue;
        }
        const { sizeBytes: size, digest } = await append(fd, file.content, signal);
        tree.add(path, { ...nodeOf(file), size, offset }, digest);
        offset += size;
      }
      return { fd, tree };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** What an archive holds, in its own words. Whoever opens it closes `fd`. */
  async openIndex(tar: AsyncIterable<Buffer>, options: Abortable = {}): Promise<{ readonly fd: number; readonly tree: IndexTree }> {
    const fd = openUnnamed(this.#parts.content.ingestFolder);
    try {
      const nodes = await this.#parts.layers.workers.run('index', { fd }, { input: plainStream(tar, options), signal: options.signal });
      return { fd, tree: new IndexTree(fd, nodes) };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  async openImage(image: string, options: Abortable = {}): Promise<OpenTree> {
    const rootfs = await this.#parts.images.mount(image, options);
    return this.#opened((id, forget) => new ImageTree(id, { rootfs, layers: this.#parts.layers, forget }));
  }

  #opened(open: (id: string, forget: () => void) => OpenTree): OpenTree {
    const id = shortRandom();
    const tree = open(id, () => this.#open.delete(id));
    this.#open.set(id, tree);
    return tree;
  }
}

const types = { file: '0', folder: '5', symlink: '2', fifo: '6' } as const;

function nodeOf({ kind = 'file', mode, mtimeSeconds: mtime, target = '' }: TreeFile): typeof emptyFile {
  const type = types[kind === 'link' ? 'file' : kind];
  return { ...emptyFile, type, mode, mtime, linkName: kind === 'symlink' ? Buffer.from(target).toString('latin1') : '' };
}

async function append(
  fd: number,
  content: AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
): Promise<{ readonly sizeBytes: number; readonly digest: string }> {
  const hash = new ContentHash();
  let sizeBytes = 0;
  for await (const chunk of content) {
    signal?.throwIfAborted();
    hash.update(chunk);
    sizeBytes += chunk.length;
    for (let written = 0; written < chunk.length; ) written += writeSync(fd, chunk, written);
  }
  return { sizeBytes, digest: hash.digest() };
}

interface ArchiveParts {
  readonly fd: number;
  readonly tree: IndexTree;
  readonly trees: Trees;
  readonly layers: Layers;
  readonly forget: () => void;
  readonly keepsOwners?: boolean;
}

/** Of a larger tree it would keep everything else waiting; of a small one another thread would take longer. */
const mostDigestedHere = 2_000;

class ArchiveTree implements OpenTree {
  readonly id: string;
  readonly #parts: ArchiveParts;

  constructor(id: string, parts: ArchiveParts) {
    this.id = id;
    this.#parts = parts;
  }

  get source(): CopySource {
    return { kind: 'index', fd: this.#parts.fd, nodes: this.#parts.tree.shared };
  }

  get keepsOwners(): boolean {
    return this.#parts.keepsOwners === true;
  }

  async readFile(path: string, { mostBytes }: { readonly mostBytes: number }): Promise<Buffer | undefined> {
    const { path: real, node } = resolveSource(this.#parts.tree, path);
    if (node === undefined) return undefined;
    if (node.type !== '0') throw invalidArgument(`${path} is no file`);
    if (node.size > mostBytes) throw invalidArgument(`${path} has ${node.size} bytes, at most ${mostBytes}`);
    return this.#parts.tree.head(real, node.size);
  }

  async digest(choice: Parameters<BuildTree['digest']>[0], { signal }: Abortable = {}): Promise<string> {
    const { tree, layers } = this.#parts;
    const { source, keepsOwners } = this;
    if (tree.size <= mostDigestedHere) return choiceDigest(tree, choice, { keepsOwners });
    return layers.workers.run('choose', { source, choice, keepsOwners }, { signal });
  }

  async way(path: string): Promise<string> {
    return wayDigest(this.#parts.tree, path);
  }

  async unpacked(sources: readonly string[], options: Abortable): ReturnType<OpenTree['unpacked']> {
    const plain: string[] = [];
    const archives: OpenTree[] = [];
    for (const source of sources) {
      const chosen = choose(this.#parts.tree, { sources: [source] });
      const opened = await Promise.all(chosen.map(({ path }) => this.#openInside(path, options)));
      archives.push(...opened.filter((tree) => tree !== undefined));
      // A pattern may mean both kinds: what is no archive is named one by one.
      plain.push(
        ...(opened.every((tree) => tree === undefined)
          ? [source]
          : chosen.flatMap(({ path }, at) => (opened[at] === undefined ? [path] : []))),
      );
    }
    return { plain, archives };
  }

  async #openInside(path: string, options: Abortable): Promise<OpenTree | undefined> {
    const node = this.#parts.tree.node(path);
    if (node?.type !== '0' || node.size < 6) return undefined;
    const kind = sniff(this.#parts.tree.head(path, 8));
    const stream = (): AsyncIterable<Buffer> =>
      createReadStream('', {
        fd: this.#parts.fd,
        autoClose: false,
        start: node.offset,
        end: node.offset + node.size - 1,
        highWaterMark: 256 * 1024,
      });
    const head = kind === 'none' ? this.#parts.tree.head(path, 512) : await firstBlock(decompressed(plainStream(stream(), options)));
    return isTarHead(head) ? this.#parts.trees.openArchive(stream(), { ...options, keepsOwners: true }) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#parts.forget();
    closeSync(this.#parts.fd);
  }
}

/** What cannot be decompressed is no archive: it is copied as it is. */
async function firstBlock(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of chunks) {
      head = Buffer.concat([head, chunk]);
      if (head.length >= 512) break;
    }
  } catch {
    return Buffer.alloc(0);
  }
  return head.subarray(0, 512);
}

class ImageTree implements OpenTree {
  readonly id: string;
  readonly keepsOwners = true;
  readonly #parts: { readonly rootfs: Rootfs; readonly layers: Layers; readonly forget: () => void };

  constructor(id: string, parts: { readonly rootfs: Rootfs; readonly layers: Layers; readonly forget: () => void }) {
    this.id = id;
    this.#parts = parts;
  }

  get source(): CopySource {
    return { kind: 'root', root: this.#parts.rootfs.path };
  }

  async readFile(): Promise<Buffer | undefined> {
    throw invalidArgument('files of an image are copied, not read');
  }

  async digest(choice: Parameters<BuildTree['digest']>[0], { signal }: Abortable = {}): Promise<string> {
    const { source, keepsOwners } = this;
    return this.#parts.layers.workers.run('choose', { source, choice, keepsOwners }, { signal });
  }

  way(path: string, { signal }: Abortable = {}): Promise<string> {
    return this.#parts.layers.workers.run('way', { root: this.#parts.rootfs.path, path }, { signal });
  }

  async unpacked(sources: readonly string[]): ReturnType<OpenTree['unpacked']> {
    return { plain: sources, archives: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#parts.forget();
    await this.#parts.rootfs[Symbol.asyncDispose]();
  }
}
