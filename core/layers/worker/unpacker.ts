import { closeSync, ftruncateSync, linkSync, lstatSync, mkdirSync, openSync, symlinkSync, unlinkSync, writeSync } from 'node:fs';
import { type GantryError, invalidArgument } from '@gantry/sdk';
import { isErrno, mknod, setTimes } from '@gantry/sdk/linux';
import type { TarHandler, TarHeader } from '../tar/index.ts';
import { baseOf, cleanPath, type EntryPath, joined, kernelPath, parentOf, shown } from './entry-path.ts';
import { checkOwner, finishFile, finishFolder, finishSpecial } from './metadata.ts';
import { isOpaque, makeOpaque } from './overlay-notes.ts';
import { UnpackLimits } from './unpack-limits.ts';
import { isKnownType, needsLowerLayers, type UnpackRules, withOwner } from './unpack-rules.ts';
import { blame, createNew, isWhiteout, makeFolders, namesIn, removeTree, statOf } from './tree.ts';

/**
 * Writes what a TarReader reads into the tree that is this thread's root: every path is walked by the kernel, which cannot leave it.
 * Later entries win over earlier ones; whiteouts touch lower layers only, wherever in the archive they stand.
 * Refuses with `invalid_argument`, naming the entry. `finish` sets the folders' owners, permissions and times.
 */
export class Unpacker implements TarHandler {
  readonly #rules: UnpackRules;
  readonly #unpacked = new Set<EntryPath>();
  readonly #folders = new Map<EntryPath, TarHeader>();
  /** Folders that the archive needed and did not name, made here. */
  readonly #implied = new Set<EntryPath>();
  /** Folders of lower layers that the archive names again. */
  readonly #reused = new Set<EntryPath>();
  /** Times of folders of lower layers that were not named again, before something in them changed. */
  readonly #times = new Map<EntryPath, bigint>();
  /** Where folders of entries really are; forgotten when something is removed. */
  readonly #resolved = new Map<EntryPath, EntryPath>();
  #file: OpenFile | undefined;
  readonly #limits: UnpackLimits;

  constructor(rules: UnpackRules) {
    this.#rules = rules;
    this.#limits = new UnpackLimits({ keepsReserve: rules.whiteouts !== 'none' });
  }

  /** Bytes of all files. */
  get totalBytes(): number {
    return this.#limits.totalBytes;
  }

  entry(header: TarHeader): void {
    this.#limits.countEntry();
    if (!isKnownType(header.type)) return;
    const path = cleanPath(header.name);
    try {
      this.#make(path, withOwner(header, path, this.#rules));
    } catch (error) {
      throw blame(error, path);
    }
  }

  data(chunk: Buffer): void {
    const file = this.#file;
    if (file === undefined) return;
    for (let written = 0; written < chunk.length; ) {
      written += writeSync(file.fd, chunk, written, chunk.length - written, file.hasHoles ? file.position + written : null);
    }
    file.position += chunk.length;
    this.#limits.countWritten(chunk.length);
  }

  hole(lengthBytes: number): void {
    if (this.#file === undefined) return;
    this.#file.hasHoles = true;
    this.#file.position += lengthBytes;
  }

  end(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      if (file.hasHoles) ftruncateSync(file.fd, file.position);
      finishFile(file.fd, file.header, { path: file.path, mayInheritGroup: this.#rules.whiteouts !== 'overlay' });
    } catch (error) {
      throw blame(error, file.path);
    } finally {
      closeSync(file.fd);
    }
  }

  /** Everything was read: the folders get what children would have changed again. */
  finish(): void {
    for (const [path, header] of this.#folders) finishFolder(path, header, { isReused: this.#reused.has(path) });
    for (const [path, mtimeNs] of this.#times) {
      if (!this.#folders.has(path) && !this.#implied.has(path) && statOf(path)?.isDirectory() === true)
        setTimes(kernelPath(path), { mtimeNs });
    }
  }

  /**
   * Folders that the archive did not name and that lower layers may have, with '' for the root: made apart from those, they have nobody's
   * owner and permissions. Those in folders that hide what is below are new.
   */
  get impliedFolders(): readonly EntryPath[] {
    // Remembered: a deep tree has each folder as an ancestor of many.
    const hidden = new Map<EntryPath, boolean>();
    const isHidden = (path: EntryPath): boolean => {
      const known = hidden.get(path) ?? ((path !== '' && isHidden(parentOf(path))) || isOpaque(path));
      hidden.set(path, known);
      return known;
    };
    const implied = [...this.#implied].filter((path) => statOf(path)?.isDirectory() === true && !isHidden(path));
    return this.#folders.has('') ? implied : ['', ...implied];
  }

  /** Gives up; the tree stays half made. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
  }

  #make(path: EntryPath, header: TarHeader): void {
    const base = baseOf(path);
    if (this.#rules.whiteouts !== 'none') {
      if (path.startsWith('.wh..wh.') && base !== opaqueMark) return;
      if (base.startsWith('.wh.') && header.type !== '5') return this.#whiteout(path, base);
      if (header.type === '3' && header.deviceMajor === 0 && header.deviceMinor === 0) return this.#hide(joined(this.#parent(path), base));
    }
    checkOwner(header, path);
    if (path === '') return this.#root(header);
    const real = joined(this.#parent(path), base);
    switch (header.type) {
      case '5':
        return this.#folder(real, header);
      case '1':
        return this.#hardLink(real, header);
      case '2':
        return this.#symlink(real, header);
      case '3':
      case '4':
      case '6':
        return this.#special(real, header);
      default:
        return this.#open(real, header);
    }
  }

  #root(header: TarHeader): void {
    if (header.type !== '5') throw invalidArgument('the root of a layer must be a folder');
    if (this.#rules.below === undefined) this.#folders.set('', header);
  }

  /** The folder that holds the entry, symlinks followed, made when the archive forgot it. */
  #parent(path: EntryPath): EntryPath {
    const given = parentOf(path);
    const known = this.#resolved.get(given);
    if (known !== undefined) return known;
    const below = this.#rules.below ?? '';
    const full = below === '' ? given : joined(below, given);
    const resolved = full === '' || this.#folders.has(full) ? full : this.#resolve(full);
    this.#resolved.set(given, resolved);
    this.#keepTime(resolved);
    return resolved;
  }

  /** Where lower layers are in the same tree, a folder of theirs keeps its time although something in it changes. */
  #keepTime(folder: EntryPath): void {
    if (this.#rules.whiteouts !== 'plain' || this.#times.has(folder) || this.#implied.has(folder) || this.#folders.has(folder)) return;
    const stat = lstatSync(kernelPath(folder), { bigint: true, throwIfNoEntry: false });
    if (stat !== undefined) this.#times.set(folder, stat.mtimeNs);
  }

  #resolve(path: EntryPath): EntryPath {
    return makeFolders(path, {
      making: (parent) => this.#keepTime(parent),
      made: (folder) => {
        this.#unpacked.add(folder);
        this.#implied.add(folder);
      },
      replace: (found, stat) => {
        if (this.#rules.whiteouts !== 'overlay' || !isWhiteout(stat)) return false;
        this.#replaceWhiteout(found);
        return true;
      },
    });
  }

  /** A folder in the place of what this layer hides: opaque, so that the lower one stays hidden. */
  #replaceWhiteout(path: EntryPath): void {
    this.#resolved.clear();
    unlinkSync(kernelPath(path));
    mkdirSync(kernelPath(path), 0o755);
    makeOpaque(path);
    this.#unpacked.add(path);
  }

  #folder(path: EntryPath, header: TarHeader): void {
    try {
      mkdirSync(kernelPath(path), 0o755);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      const stat = statOf(path);
      if (stat !== undefined && this.#rules.whiteouts === 'overlay' && isWhiteout(stat)) this.#replaceWhiteout(path);
      else if (stat?.isDirectory() !== true) {
        this.#clear(path, header);
        mkdirSync(kernelPath(path), 0o755);
      } else if (this.#rules.whiteouts === 'plain') this.#reused.add(path);
    }
    this.#unpacked.add(path);
    this.#implied.delete(path);
    this.#folders.set(path, header);
  }

  #open(path: EntryPath, header: TarHeader): void {
    this.#limits.countFile(header.size);
    const fd = this.#replacing(path, header, () => openSync(kernelPath(path), createNew, header.mode & 0o777));
    this.#file = { fd, path, header, position: 0, hasHoles: false };
  }

  #symlink(path: EntryPath, header: TarHeader): void {
    const target = header.linkName;
    if (target.length === 0 || target.length > 4095) throw invalidArgument(`${shown(path)}: a symlink to ${target.length} bytes`);
    this.#replacing(path, header, () => symlinkSync(target, kernelPath(path)));
    finishSpecial(path, header);
  }

  #special(path: EntryPath, header: TarHeader): void {
    const kind = { 3: 0o020000, 4: 0o060000, 6: 0o010000 }[header.type] ?? 0;
    const { deviceMajor: major, deviceMinor: minor } = header;
    if (header.type !== '6' && (major < 0 || major > 4095 || minor < 0 || minor > 0xfffff)) {
      throw invalidArgument(`${shown(path)}: device ${major}:${minor} is out of range`);
    }
    const numbers = header.type === '6' ? { major: 0, minor: 0 } : { major, minor };
    this.#replacing(path, header, () => mknod(kernelPath(path), kind | (header.mode & 0o7777), numbers));
    finishSpecial(path, header);
  }

  #hardLink(path: EntryPath, header: TarHeader): void {
    const wanted = cleanPath(header.linkName);
    const target = joined(this.#existingParent(wanted), baseOf(wanted));
    const found = statOf(target);
    if (target === path || found === undefined || (this.#rules.whiteouts === 'overlay' && isWhiteout(found)))
      throw this.#noTarget(path, wanted, target);
    if (found.isDirectory()) throw invalidArgument(`${shown(path)}: hardlink to the directory ${shown(wanted)}`);
    const there = statOf(path);
    if (there !== undefined && there.ino === found.ino && there.dev === found.dev) return;
    this.#replacing(path, header, () => linkSync(kernelPath(target), kernelPath(path)));
  }

  #existingParent(path: EntryPath): EntryPath {
    const below = this.#rules.below ?? '';
    const given = parentOf(path);
    return below === '' ? given : joined(below, given);
  }

  #noTarget(path: EntryPath, wanted: EntryPath, target: EntryPath): GantryError {
    const mayBeLower = this.#rules.whiteouts === 'overlay' && target !== path;
    return invalidArgument(
      `${shown(path)}: hardlink target ${shown(wanted)} not found in layer or parents`,
      mayBeLower ? { reason: needsLowerLayers } : {},
    );
  }

  /** Makes the entry; what is in its place gives way first. */
  #replacing<T>(path: EntryPath, header: TarHeader, make: () => T): T {
    let made: T;
    try {
      made = make();
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      this.#clear(path, header);
      made = make();
    }
    // Elsewhere only folders are asked for.
    if (this.#rules.whiteouts === 'plain') this.#unpacked.add(path);
    return made;
  }

  #clear(path: EntryPath, header: TarHeader): void {
    const stat = statOf(path);
    if (stat === undefined) return;
    const isFolder = stat.isDirectory();
    if (this.#rules.noOverwriteDirNonDir === true && isFolder !== (header.type === '5')) {
      throw invalidArgument(
        `cannot overwrite ${isFolder ? 'directory' : 'non-directory'} ${shown(path)} with ${isFolder ? 'non-directory' : 'directory'}`,
      );
    }
    if (isFolder && header.type === '2' && this.#unpacked.has(path) && namesIn(path).length > 0) {
      throw invalidArgument(`${shown(path)}: a symlink in the place of a folder of the same layer that is not empty`);
    }
    if (isFolder) this.#forgetBelow(path);
    this.#resolved.clear();
    removeTree(path);
  }

  #forgetBelow(path: EntryPath): void {
    for (const folders of [this.#folders, this.#implied])
      for (const folder of folders.keys()) if (folder === path || folder.startsWith(`${path}/`)) folders.delete(folder);
  }

  #whiteout(path: EntryPath, base: string): void {
    if (base === opaqueMark) return this.#opaque(this.#parent(path));
    if (base.startsWith('.wh..wh.')) return;
    const hidden = base.slice('.wh.'.length);
    if (hidden === '' || hidden === '.' || hidden === '..') throw invalidArgument(`${shown(path)}: invalid whiteout`);
    this.#hide(joined(this.#parent(path), hidden));
  }

  #opaque(folder: EntryPath): void {
    if (this.#rules.whiteouts === 'overlay') makeOpaque(folder);
    else this.#removeLower(folder);
  }

  #hide(path: EntryPath): void {
    this.#resolved.clear();
    const stat = statOf(path);
    const isOurs = this.#unpacked.has(path);
    if (this.#rules.whiteouts === 'plain') {
      if (!isOurs) removeTree(path);
      else if (stat?.isDirectory() === true) this.#removeLower(path);
    } else if (stat === undefined) mknod(kernelPath(path), 0o020000, { major: 0, minor: 0 });
    else if (stat.isDirectory()) makeOpaque(path);
  }

  /** Everything in the folder that did not come with this layer. */
  #removeLower(folder: EntryPath): void {
    const pending = [folder];
    for (let at = 0; at < pending.length; at++) {
      const inside = pending[at] ?? '';
      for (const name of namesIn(inside)) {
        const path = joined(inside, name);
        if (!this.#unpacked.has(path)) removeTree(path);
        else if (statOf(path)?.isDirectory() === true) pending.push(path);
      }
    }
  }
}

interface OpenFile {
  readonly fd: number;
  readonly path: EntryPath;
  readonly header: TarHeader;
  position: number;
  hasHoles: boolean;
}

const opaqueMark = '.wh..wh..opq';
