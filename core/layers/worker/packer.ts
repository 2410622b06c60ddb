import { closeSync, constants, fstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { deviceNumbers, getXattr, type IdMaps, insideId, isErrno } from '@gantry/sdk/linux';
import { endOfArchive, paddingBytes, tarHeader, type TarEntry } from '../tar/index.ts';
import { baseOf, type EntryPath, joined, kernelPath, parentOf } from './entry-path.ts';
import { TarBuffer, type TarSink } from './tar-buffer.ts';

/** What containers see of owners that their user namespace does not have: /proc/sys/kernel/overflowuid. */
const nobody = 65_534;

/**
 * Writes a tar of what it is shown of this thread's root, by the rules of Docker's layers: PAX, whole seconds, no user names, of the
 * attributes the capabilities only, hard links by inode, no sockets. The same tree gives the same bytes.
 */
export class Packer {
  readonly #out: TarBuffer;
  readonly #latestSeconds: number;
  readonly #idMaps: IdMaps | undefined;
  readonly #links = new Map<string, EntryPath>();
  #contentBytes = 0;

  /** Nothing is said to be younger than `latestSeconds`, in seconds since 1970; owners of a mapped tree are those that its container sees. */
  constructor(
    sink: TarSink,
    { latestSeconds = Infinity, idMaps }: { readonly latestSeconds?: number | undefined; readonly idMaps?: IdMaps | undefined } = {},
  ) {
    this.#out = new TarBuffer(sink);
    this.#latestSeconds = latestSeconds;
    this.#idMaps = idMaps;
  }

  /** Of the files written so far. */
  get contentBytes(): number {
    return this.#contentBytes;
  }

  /** `name` is what the archive calls it. What vanished meanwhile is left out. */
  add(path: EntryPath, stat: Stats, name: EntryPath = path): void {
    try {
      this.#add(path, stat, name);
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENXIO', 'ELOOP')) throw error;
    }
  }

  /** The sign that a lower entry is gone. */
  addWhiteout(path: EntryPath, mtimeSeconds: number): void {
    this.#header({ type: '0', name: bytesOf(joined(parentOf(path), `.wh.${baseOf(path)}`)), mode: 0o600, mtime: mtimeSeconds });
  }

  /** The sign that nothing of the lower folder shows through. */
  addOpaque(folder: EntryPath, mtimeSeconds: number): void {
    this.#header({ type: '0', name: bytesOf(joined(folder, '.wh..wh..opq')), mode: 0o600, mtime: mtimeSeconds });
  }

  finish(): void {
    this.#out.write(endOfArchive);
    this.#out.flush();
  }

  #add(path: EntryPath, stat: Stats, name: EntryPath): void {
    const common = { name: bytesOf(name), mode: stat.mode & 0o7777, ...this.#ownerOf(stat), mtime: Math.floor(stat.mtimeMs / 1000) };
    if (stat.isDirectory()) return this.#header({ ...common, type: '5', name: bytesOf(`${name}/`), ...this.#xattrs(path) });
    if (stat.isSocket()) return;
    if (stat.nlink > 1) {
      const inode = `${stat.dev}:${stat.ino}`;
      const first = this.#links.get(inode);
      if (first !== undefined) return this.#header({ ...common, type: '1', linkName: bytesOf(first), ...this.#xattrs(path) });
      this.#links.set(inode, name);
    }
    if (stat.isFile()) return this.#file(path, { ...common, type: '0', ...this.#xattrs(path) });
    if (stat.isSymbolicLink()) {
      return this.#header({ ...common, type: '2', linkName: readlinkSync(kernelPath(path), { encoding: 'buffer' }) });
    }
    if (stat.isFIFO()) return this.#header({ ...common, type: '6' });
    const { major, minor } = deviceNumbers(stat.rdev);
    this.#header({ ...common, type: stat.isBlockDevice() ? '4' : '3', deviceMajor: major, deviceMinor: minor });
  }

  #ownerOf({ uid, gid }: Stats): { readonly uid: number; readonly gid: number } {
    if (this.#idMaps === undefined) return { uid, gid };
    return { uid: insideId(uid, this.#idMaps.uids) ?? nobody, gid: insideId(gid, this.#idMaps.gids) ?? nobody };
  }

  #file(path: EntryPath, entry: TarEntry): void {
    const fd = openSync(kernelPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) return;
      this.#header({ ...entry, size: stat.size });
      this.#contentBytes += stat.size;
      this.#out.content(fd, stat.size);
      this.#out.zeros(paddingBytes(stat.size));
    } finally {
      closeSync(fd);
    }
  }

  #xattrs(path: EntryPath): { readonly xattrs?: ReadonlyMap<string, Buffer> } {
    const capability = capabilityOf(path);
    return capability === undefined ? {} : { xattrs: new Map([['security.capability', capability]]) };
  }

  #header(entry: TarEntry): void {
    this.#out.write(tarHeader((entry.mtime ?? 0) > this.#latestSeconds ? { ...entry, mtime: this.#latestSeconds } : entry));
  }
}

function bytesOf(path: EntryPath): Buffer {
  return Buffer.from(path, 'latin1');
}

/** A namespaced capability (revision 3) is written as one of the initial namespace (revision 2): see capabilities(7). */
export function capabilityOf(path: EntryPath): Buffer | undefined {
  let value: Buffer | undefined;
  try {
    value = getXattr(kernelPath(path), 'security.capability');
  } catch (error) {
    if (isErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
  if (value?.length !== 24 || value[3] !== 3) return value;
  value[3] = 2;
  return value.subarray(0, 20);
}
