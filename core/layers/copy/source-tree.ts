import type { EntryPath } from '../worker/entry-path.ts';
import type { TarBuffer } from '../worker/tar-buffer.ts';

/** What a tree says about one of its things; numbers as in a tar header. */
export interface SourceNode {
  /** '0' file, '2' symlink, '3' and '4' devices, '5' folder, '6' fifo. */
  readonly type: '0' | '2' | '3' | '4' | '5' | '6';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Whole seconds since 1970. */
  readonly mtime: number;
  /** Latin1 text, one character per byte; symlinks only. */
  readonly linkName: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Base64 of security.capability, or ''. */
  readonly capability: string;
  /** The same for all names of one file, '' when it has but one. */
  readonly inode: string;
}

/** A tree that is copied from: the index of an archive, or what is below this thread's root. Symlinks are never followed here. */
export interface SourceTree {
  node(path: EntryPath): SourceNode | undefined;
  /** Sorted by bytes. */
  names(folder: EntryPath): readonly string[];
  /** sha256 of a file's content, hexadecimal. */
  contentDigest(path: EntryPath): string;
  /** The first bytes of a file. */
  head(path: EntryPath, sizeBytes: number): Buffer;
  /** Exactly as many bytes as the node's size says. */
  copyContent(path: EntryPath, out: TarBuffer): void;
}

/** A folder of root's, as one is made when nobody says how. */
export const plainFolder: SourceNode = {
  type: '5',
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  linkName: '',
  deviceMajor: 0,
  deviceMinor: 0,
  capability: '',
  inode: '',
};
