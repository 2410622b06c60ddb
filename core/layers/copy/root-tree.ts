import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { deviceNumbers } from '@gantry/sdk/linux';
import { type EntryPath, kernelPath } from '../worker/entry-path.ts';
import { capabilityOf } from '../worker/packer.ts';
import type { TarBuffer } from '../worker/tar-buffer.ts';
import { namesIn, statOf } from '../worker/tree.ts';
import type { SourceNode, SourceTree } from './source-tree.ts';

/** What is below the root of this thread. */
export class RootTree implements SourceTree {
  node(path: EntryPath): SourceNode | undefined {
    const stat = statOf(path);
    if (stat === undefined || stat.isSocket()) return undefined;
    const isLink = stat.isSymbolicLink();
    const { major, minor } = deviceNumbers(stat.rdev);
    return {
      type: stat.isDirectory()
        ? '5'
        : isLink
          ? '2'
          : stat.isFIFO()
            ? '6'
            : stat.isBlockDevice()
              ? '4'
              : stat.isCharacterDevice()
                ? '3'
                : '0',
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      size: stat.isFile() ? stat.size : 0,
      mtime: Math.floor(stat.mtimeMs / 1000),
      linkName: isLink ? readlinkSync(kernelPath(path), { encoding: 'latin1' }) : '',
      deviceMajor: major,
      deviceMinor: minor,
      capability: stat.isFile() ? (capabilityOf(path)?.toString('base64') ?? '') : '',
      inode: stat.isFile() && stat.nlink > 1 ? `${stat.dev}:${stat.ino}` : '',
    };
  }

  names(folder: EntryPath): readonly string[] {
    return namesIn(folder);
  }

  contentDigest(path: EntryPath): string {
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(256 * 1024);
    this.#reading(path, (fd) => {
      for (let got = readSync(fd, chunk); got > 0; got = readSync(fd, chunk)) hash.update(chunk.subarray(0, got));
    });
    return hash.digest('hex');
  }

  head(path: EntryPath, sizeBytes: number): Buffer {
    const bytes = Buffer.alloc(sizeBytes);
    let got = 0;
    this.#reading(path, (fd) => {
      got = readSync(fd, bytes, 0, sizeBytes, 0);
    });
    return bytes.subarray(0, got);
  }

  copyContent(path: EntryPath, out: TarBuffer): void {
    const size = statOf(path)?.size ?? 0;
    this.#reading(path, (fd) => out.content(fd, size));
  }

  /** A name may be something else by now: nothing is waited for, and only files are read. */
  #reading(path: EntryPath, read: (fd: number) => void): void {
    const fd = openSync(kernelPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (fstatSync(fd).isFile()) read(fd);
    } finally {
      closeSync(fd);
    }
  }
}
