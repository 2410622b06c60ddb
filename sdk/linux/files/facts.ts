import { errno } from '../calls.ts';
import { checked } from '../errno.ts';
import { checkedAt, type Name } from './at.ts';
import { callStatx } from './statx.ts';

/** What statx(2) told last: one for all calls, since none of them waits. A call for every file that reads into one buffer costs a fifth of Node's stat with bigints. */
export class FileFacts {
  readonly #answer = new ArrayBuffer(256);
  readonly #bytes = new Uint8Array(this.#answer);
  readonly #words = new Uint32Array(this.#answer);
  /** Two struct timespec, of which statx has the parts as they are: atime and mtime. */
  readonly #times = new Uint32Array(8);

  /** Of an open file. */
  readOpen(file: number): void {
    checked(callStatx(file, empty, emptyPath | noFollow, basicStats, this.#bytes), 'statx');
  }

  /** Of a name in an open folder. */
  readNamed(folder: number, name: Name): void {
    checkedAt(callStatx(folder, name, noFollow, basicStats, this.#bytes), 'statx', name);
  }

  /** Of a name in an open folder; false when nothing has it, which costs no error with its stack. */
  findNamed(folder: number, name: Name): boolean {
    const result = callStatx(folder, name, noFollow, basicStats, this.#bytes);
    if (result < 0 && errno() === enoent) return false;
    checkedAt(result, 'statx', name);
    return true;
  }

  get nlink(): number {
    return this.#words[4] ?? 0;
  }

  get uid(): number {
    return this.#words[5] ?? 0;
  }

  get gid(): number {
    return this.#words[6] ?? 0;
  }

  /** With the type. */
  get mode(): number {
    return (this.#words[7] ?? 0) & 0xffff;
  }

  get isFolder(): boolean {
    return (this.mode & 0o170000) === 0o040000;
  }

  get isFile(): boolean {
    return (this.mode & 0o170000) === 0o100000;
  }

  get isSymlink(): boolean {
    return (this.mode & 0o170000) === 0o120000;
  }

  get sizeBytes(): number {
    return this.#wide(10);
  }

  /** Of the disk. */
  get blockBytes(): number {
    return this.#wide(12) * 512;
  }

  get isSparse(): boolean {
    return this.blockBytes < this.sizeBytes;
  }

  /** A name that no other file of the tree has, even if file systems are mounted in it. */
  get identity(): string {
    return `${this.#words[34]}-${this.#words[35]}-${this.#wide(8)}`;
  }

  /** overlayfs' sign that what has this name in a folder below is gone. */
  get isWhiteout(): boolean {
    return (this.mode & 0o170000) === 0o020000 && this.device === 0;
  }

  /** Whether its content changed last at the same nanosecond. */
  isAsOldAs(other: FileFacts): boolean {
    return this.#words[28] === other.#words[28] && this.#words[29] === other.#words[29] && this.#words[30] === other.#words[30];
  }

  /** As mknod(2) takes it. */
  get device(): number {
    const major = this.#words[32] ?? 0;
    const minor = this.#words[33] ?? 0;
    return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
  }

  get times(): Uint32Array {
    for (let word = 0; word < 4; word += 1) {
      this.#times[word] = this.#words[16 + word] ?? 0;
      this.#times[word + 4] = this.#words[28 + word] ?? 0;
    }
    return this.#times;
  }

  #wide(at: number): number {
    return (this.#words[at] ?? 0) + (this.#words[at + 1] ?? 0) * 2 ** 32;
  }
}

const enoent = 2;
const empty = new Uint8Array(1);
const emptyPath = 0x1000;
const noFollow = 0x100;
const basicStats = 0x7ff;
