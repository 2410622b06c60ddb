import { constants } from 'node:os';
import { errnoError } from '../errno.ts';
import {
  anywhere,
  close,
  createFile,
  linkFrom,
  makeFolder,
  makeNode,
  makeSymlink,
  type Name,
  openFile,
  openFolderAt,
  type Place,
  readSymlink,
  shown,
} from '../files/at.ts';
import { type Board, Part } from './board.ts';
import { Contents } from './contents.ts';
import { FileFacts } from '../files/facts.ts';
import { Keeping, type Owner } from './keeping.ts';
import { LinkedFiles } from './linked-files.ts';
import { entryTypes, FolderListing } from '../files/listing.ts';

export interface WalkJob {
  readonly from: string;
  /** An empty folder. */
  readonly to: string;
  readonly board: Board;
  /** Whose what this process makes in `to` is by itself. */
  readonly owner: Owner;
}

/** One thread's part in copying a tree: it walks all of it, and copies what is its own. */
export class Walk {
  readonly #part: Part;
  readonly #contents: Contents;
  readonly #keeping: Keeping;
  readonly #linked: LinkedFiles;
  readonly #facts = new FileFacts();
  /** By depth. */
  readonly #listings: FolderListing[] = [];

  constructor({ to, board, owner }: WalkJob, umask: number) {
    this.#part = new Part(board);
    this.#contents = new Contents(this.#part.check);
    this.#keeping = new Keeping(owner, umask);
    this.#linked = new LinkedFiles(`${to}.links`);
  }

  copy({ from, to }: Pick<WalkJob, 'from' | 'to'>): void {
    using _links = this.#linked;
    withFolders(anywhere(from), anywhere(to), (source, target) => {
      if (this.#copyFolder(source, target, 0)) this.#linked.remove();
    });
  }

  /** Answers whether this thread was the last in it. */
  #copyFolder(from: number, to: number, depth: number): boolean {
    const folder = this.#part.enter();
    this.#listings[depth] ??= new FolderListing();
    this.#listings[depth].each(from, (name, type) => {
      if (this.#isFolder(from, name, type)) this.#descend(from, to, { name, depth });
      else if (this.#part.isMine()) this.#copyEntry(from, to, { name, type });
    });
    if (!this.#part.isLastIn(folder)) return false;
    this.#facts.readOpen(from);
    this.#keeping.open(from, to, this.#facts);
    return true;
  }

  #descend(from: number, to: number, { name, depth }: { readonly name: Name; readonly depth: number }): void {
    makeFolder(to, name);
    withFolders({ folder: from, name }, { folder: to, name }, (source, target) => this.#copyFolder(source, target, depth + 1));
  }

  #copyEntry(from: number, to: number, { name, type }: { readonly name: Name; readonly type: number }): void {
    if (type === entryTypes.file || (type === entryTypes.unknown && this.#facts.isFile)) this.#copyFile(from, to, name);
    else this.#copyOther(from, to, name);
  }

  #copyFile(from: number, to: number, name: Name): void {
    const source = openFile(from, name);
    try {
      this.#facts.readOpen(source);
      const place = this.#placeOf(to, name);
      const target = createFile(place.folder, place.name, this.#facts.mode & 0o777);
      if (target !== undefined) this.#fill(source, target);
      this.#name(place, { isNew: target !== undefined }, { folder: to, name });
    } finally {
      close(source);
    }
  }

  #fill(source: number, target: number): void {
    try {
      this.#contents.copy(source, target, this.#facts);
      this.#keeping.open(source, target, this.#facts);
    } finally {
      close(target);
    }
  }

  /** What is better not opened. */
  #copyOther(from: number, to: number, name: Name): void {
    this.#facts.readNamed(from, name);
    const place = this.#placeOf(to, name);
    const isNew = this.#facts.isSymlink
      ? makeSymlink(place.folder, place.name, readSymlink(from, name))
      : makeNode(place.folder, place.name, this.#facts);
    if (isNew) this.#keeping.named({ folder: from, name }, place, this.#facts);
    this.#name(place, { isNew }, { folder: to, name });
  }

  /** Where to make it: what has several names, under one that all threads find. */
  #placeOf(folder: number, name: Name): Place {
    return this.#facts.nlink === 1 ? { folder, name } : this.#linked.placeOf(this.#facts);
  }

  #name(made: Place, { isNew }: { readonly isNew: boolean }, wanted: Place): void {
    if (made.folder !== wanted.folder) linkFrom(made, wanted);
    else if (!isNew) throw errnoError('copy', { path: shown(wanted.name), errno: constants.errno.EEXIST });
  }

  #isFolder(from: number, name: Name, type: number): boolean {
    if (type !== entryTypes.unknown) return type === entryTypes.folder;
    this.#facts.readNamed(from, name);
    return this.#facts.isFolder;
  }
}

function withFolders<T>(from: Place, to: Place, work: (from: number, to: number) => T): T {
  const source = openFolderAt(from.folder, from.name);
  try {
    const target = openFolderAt(to.folder, to.name);
    try {
      return work(source, target);
    } finally {
      close(target);
    }
  } finally {
    close(source);
  }
}
