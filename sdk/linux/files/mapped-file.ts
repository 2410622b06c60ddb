import { declare } from '../calls.ts';
import { checked } from '../errno.ts';

/** An open file's first bytes in memory, shared with all who have it open: mmap(2) with MAP_SHARED. Closing the file leaves the mapping. */
export class MappedFile implements Disposable {
  readonly #address: number | bigint;
  readonly #lengthBytes: number;

  /** The file must be open for reading and writing, and have at least so many bytes: touching a page beyond its end kills the process. */
  constructor(file: number, lengthBytes: number) {
    this.#address = callMmap(0, lengthBytes, readAndWrite, shared, file, 0);
    this.#lengthBytes = lengthBytes;
    checked(Number(this.#address) === -1 ? -1 : 0, 'mmap');
  }

  /** Puts bytes at the start. */
  write(bytes: Uint8Array): void {
    this.#check(bytes.byteLength);
    callWrite(this.#address, bytes, bytes.byteLength);
  }

  /** The first so many bytes. */
  read(lengthBytes: number): Buffer {
    this.#check(lengthBytes);
    const bytes = Buffer.alloc(lengthBytes);
    callRead(bytes, this.#address, lengthBytes);
    return bytes;
  }

  [Symbol.dispose](): void {
    callMunmap(this.#address, this.#lengthBytes);
  }

  #check(lengthBytes: number): void {
    if (lengthBytes > this.#lengthBytes) throw new RangeError(`${lengthBytes} bytes of a mapping of ${this.#lengthBytes}`);
  }
}

const readAndWrite = 3;
const shared = 1;

type Address = number | bigint;
const callMmap = declare<(address: 0, lengthBytes: number, protection: number, flags: number, file: number, offset: 0) => Address>(
  'mmap',
  'int64_t',
  ['int64_t', 'size_t', 'int', 'int', 'int', 'int64_t'],
);
const callMunmap = declare<(address: Address, lengthBytes: number) => number>('munmap', 'int', ['int64_t', 'size_t']);
const callWrite = declare<(to: Address, from: Uint8Array, lengthBytes: number) => unknown>('memcpy', 'void *', [
  'int64_t',
  'void *',
  'size_t',
]);
const callRead = declare<(to: Uint8Array, from: Address, lengthBytes: number) => unknown>('memcpy', 'void *', [
  'void *',
  'int64_t',
  'size_t',
]);
