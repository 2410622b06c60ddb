import { declare } from '../calls.ts';
import { checked, isErrno } from '../errno.ts';
import { copyFileRange, ficlone, seekTo } from '../files/file-data.ts';
import type { FileFacts } from '../files/facts.ts';

/** Files up to this size are read and written: two calls cost less than the pipe that copy_file_range(2) makes inside the kernel. */
const smallBytes = 262_144;
const stepBytes = 16 << 20;

/** Copies what is in files: by sharing their blocks where the file system can, else inside the kernel; holes stay holes. */
export class Contents {
  readonly #check: () => void;
  readonly #buffer = new Uint8Array(smallBytes);
  #hasCloned = false;
  #mayClone = true;
  #mayCopyInside = true;

  /** `check` throws when no more is to be copied; it is called between the steps of a large file. */
  constructor(check: () => void) {
    this.#check = check;
  }

  /** From and to the beginning of open files, of which the second is empty. */
  copy(from: number, to: number, { sizeBytes, isSparse }: Pick<FileFacts, 'sizeBytes' | 'isSparse'>): void {
    if (sizeBytes === 0 || this.#clone(from, to)) return;
    if (!isSparse) return this.#copyRange(from, to, sizeBytes);
    for (let at = seekTo('data', from, 0); at !== undefined; at = seekTo('data', from, at)) {
      const end = seekTo('hole', from, at) ?? sizeBytes;
      for (const file of [from, to]) checked(callLseek(file, at, 0), 'lseek');
      this.#copyRange(from, to, end - at);
      at = end;
    }
    checked(callFtruncate(to, sizeBytes), 'ftruncate');
  }

  /** One file may refuse what others take (NOCOW on btrfs); the first that refuses speaks for its file system. */
  #clone(from: number, to: number): boolean {
    if (!this.#mayClone) return false;
    const isCloned = ficlone(from, to);
    this.#hasCloned ||= isCloned;
    this.#mayClone = this.#hasCloned;
    return isCloned;
  }

  #copyRange(from: number, to: number, lengthBytes: number): void {
    for (let rest = lengthBytes; rest > 0; ) {
      const copied = rest > smallBytes && this.#mayCopyInside ? this.#copyInside(from, to, rest) : this.#readAndWrite(from, to, rest);
      if (copied === 0) return;
      rest -= copied;
      if (rest > 0) this.#check();
    }
  }

  #copyInside(from: number, to: number, lengthBytes: number): number {
    try {
      return copyFileRange(from, to, Math.min(lengthBytes, stepBytes));
    } catch (error) {
      if (!isErrno(error, 'ENOSYS', 'ENOTSUP', 'EXDEV', 'EINVAL')) throw error;
      this.#mayCopyInside = false;
      return this.#readAndWrite(from, to, lengthBytes);
    }
  }

  #readAndWrite(from: number, to: number, lengthBytes: number): number {
    const length = checked(callRead(from, this.#buffer, Math.min(lengthBytes, smallBytes)), 'read');
    for (let written = 0; written < length; )
      written += checked(callWrite(to, written === 0 ? this.#buffer : this.#buffer.subarray(written), length - written), 'write');
    return length;
  }
}

const callRead = declare<(file: number, into: Uint8Array, sizeBytes: number) => number>('read', 'long', ['int', 'void *', 'size_t']);
const callWrite = declare<(file: number, from: Uint8Array, sizeBytes: number) => number>('write', 'long', ['int', 'void *', 'size_t']);
const callLseek = declare<(file: number, offset: number, whence: number) => number>('lseek', 'int64_t', ['int', 'int64_t', 'int']);
const callFtruncate = declare<(file: number, sizeBytes: number) => number>('ftruncate', 'int', ['int', 'int64_t']);
