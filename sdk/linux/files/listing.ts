import { declare } from '../calls.ts';
import { checked } from '../errno.ts';
import type { Name } from './at.ts';

/** What d_type says: DT_* of getdents64(2). */
export const entryTypes = { unknown: 0, characterDevice: 2, folder: 4, file: 8, symlink: 10 } as const;

/**
 * Calls `visit` for each entry of an open folder but `.` and `..`, in the file system's order. The name is in a buffer that is the listing's own and stays as it is while
 * folders below are listed with listings of theirs.
 */
export class FolderListing {
  readonly #entries = Buffer.alloc(32_768);
  readonly #name = Buffer.alloc(256);
  #size = 0;

  each(folder: number, visit: (name: Name, type: number) => void): void {
    for (;;) {
      const length = checked(callGetdents64(folder, this.#entries, this.#entries.length), 'getdents64');
      if (length === 0) return;
      for (let at = 0; at < length; at += this.#entries.readUInt16LE(at + 16)) {
        const type = this.#entries[at + 18] ?? 0;
        const end = this.#entries.indexOf(0, at + 19);
        this.#size = this.#entries.copy(this.#name, 0, at + 19, end + 1) - 1;
        if (!isDots(this.#name, this.#size)) visit(this.#name, type);
      }
    }
  }

  /** The name that is visited, a character for each byte (latin1). */
  get text(): string {
    return this.#name.toString('latin1', 0, this.#size);
  }
}

function isDots(name: Name, size: number): boolean {
  return name[0] === 0x2e && (size === 1 || (size === 2 && name[1] === 0x2e));
}

const callGetdents64 = declare<(folder: number, entries: Uint8Array, sizeBytes: number) => number>('getdents64', 'long', [
  'int',
  'void *',
  'size_t',
]);
