import { isErrno } from '../errno.ts';
import { anywhere, close, makeFolder, openFolderAt, type Place, removeFolder, unlink } from '../files/at.ts';
import type { FileFacts } from '../files/facts.ts';
import { FolderListing } from '../files/listing.ts';

/**
 * A folder beside the new tree in which each file of several names gets another one first, made of its number in the tree that is copied. Which thread comes to such a file
 * first, the file system settles: names are links to what is there, whoever fills it.
 */
export class LinkedFiles implements Disposable {
  readonly #path: string;
  #folder: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  placeOf({ identity }: FileFacts): Place {
    this.#folder ??= this.#open();
    return { folder: this.#folder, name: Buffer.from(`${identity}\0`) };
  }

  /** When no thread makes any more. */
  remove(): void {
    const { folder, name } = anywhere(this.#path);
    const linked = openedIfThere(anywhere(this.#path));
    if (linked === undefined) return;
    try {
      const names: Uint8Array[] = [];
      new FolderListing().each(linked, (entry) => names.push(Uint8Array.from(entry.subarray(0, entry.indexOf(0) + 1))));
      for (const entry of names) unlink(linked, entry);
    } finally {
      close(linked);
    }
    removeFolder(folder, name);
  }

  [Symbol.dispose](): void {
    if (this.#folder !== undefined) close(this.#folder);
  }

  #open(): number {
    const { folder, name } = anywhere(this.#path);
    makeFolder(folder, name);
    return openFolderAt(folder, name);
  }
}

/** Opened anew: btrfs lists what was there when a folder was opened. */
function openedIfThere({ folder, name }: Place): number | undefined {
  try {
    return openFolderAt(folder, name);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
