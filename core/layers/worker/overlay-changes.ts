import { constants } from 'node:fs';
import { closeOpened, entryTypes, FileFacts, FolderListing, type Name, openat2, resolveFlags } from '@gantry/sdk/linux';
import { type EntryPath, joined, kernelPath } from './entry-path.ts';
import { isOpaque } from './overlay-notes.ts';
import { leave } from './root.ts';

export interface Changed {
  readonly path: EntryPath;
  readonly kind: 'modified' | 'added' | 'deleted';
}

/**
 * What an overlay's upper tree changed of the trees below, the nearest of them first; each thing after the folder that it is in, names in the order of their bytes. The
 * trees are read in their own places, by descriptors, since looking up each name in a mount made for it would cost as much again. Leaves this thread in the real root.
 */
export function overlayChanges(upper: string, lower: readonly string[]): readonly Changed[] {
  leave();
  using opened = new DisposableStack();
  const open = (path: string): number => opened.adopt(openat2(undefined, path, { flags: folderFlags }), closeOpened);
  return new OverlayChanges(open(upper), lower.map(open)).list();
}

/** A folder of the upper tree. */
interface Folder {
  readonly path: EntryPath;
  readonly items: Item[];
  /** What stands for it in the folder that it is in; undefined at the top. */
  readonly item: Item | undefined;
  /** Which of the trees below may show something in it, nearest first. */
  readonly below: readonly number[];
}

interface Item {
  readonly name: string;
  kind: Changed['kind'] | undefined;
  inside: Folder | undefined;
}

class OverlayChanges {
  readonly #upper: number;
  readonly #lower: readonly number[];
  readonly #now = new FileFacts();
  readonly #before = new FileFacts();
  readonly #listing = new FolderListing();

  constructor(upper: number, lower: readonly number[]) {
    this.#upper = upper;
    this.#lower = lower;
  }

  list(): readonly Changed[] {
    const top: Folder = { path: '', items: [], item: undefined, below: [...this.#lower.keys()] };
    const folders = [top];
    // Each is read whole before those in it, so that never more than one is open.
    for (let at = 0; at < folders.length; at += 1) for (const found of this.#read(folders[at] ?? top)) folders.push(found);
    // From the deepest up, so that a change reaches all folders above it.
    for (const { item, items } of folders.toReversed())
      if (item !== undefined && items.some(({ kind }) => kind !== undefined)) item.kind ??= 'modified';
    return inOrder(top);
  }

  /** Fills in what is in a folder. Answers the folders in it. */
  #read(folder: Folder): readonly Folder[] {
    using opened = new DisposableStack();
    const open = (root: number): number => {
      return opened.adopt(openat2(root, kernelPath(folder.path), { flags: folderFlags, resolve: inside }), closeOpened);
    };
    const upper = open(this.#upper);
    const below = this.#openBelow(folder, open);
    const found: Folder[] = [];
    this.#listing.each(upper, (bytes, type) => {
      const name = this.#listing.text;
      const item =
        below.length === 0 ? this.#newItem(folder, { upper, bytes, type, name }) : this.#judged(folder, below, { upper, bytes, name });
      if (item === undefined) return;
      folder.items.push(item);
      if (item.inside !== undefined) found.push(item.inside);
    });
    if (below.length > 0 && isOpaque(upper)) this.#addHidden(folder, below);
    folder.items.sort((left, right) => (left.name < right.name ? -1 : 1));
    return found;
  }

  /** Those trees' folders, down to one that hides what is below it. */
  #openBelow({ below }: Folder, open: (root: number) => number): readonly Below[] {
    const found: Below[] = [];
    for (const tree of below) {
      const file = open(this.#lower[tree] ?? -1);
      found.push({ tree, file });
      if (isOpaque(file)) break;
    }
    return found;
  }

  /** Where nothing was before, all is new, and its type is all that is asked for. */
  #newItem(folder: Folder, { upper, bytes, type, name }: Entry & { readonly type: number }): Item | undefined {
    let isFolder = type === entryTypes.folder;
    if (type === entryTypes.characterDevice || type === entryTypes.unknown) {
      if (!this.#now.findNamed(upper, bytes) || this.#now.isWhiteout) return undefined;
      ({ isFolder } = this.#now);
    }
    return itemOf(folder, name, { kind: 'added', below: isFolder ? [] : undefined });
  }

  #judged(folder: Folder, below: readonly Below[], { upper, bytes, name }: Entry): Item | undefined {
    const now = this.#now;
    // It went away meanwhile: containers may run while they are read.
    if (!now.findNamed(upper, bytes)) return undefined;
    const before = this.#findBelow(below, bytes);
    if (now.isWhiteout) return before === undefined ? undefined : itemOf(folder, name, { kind: 'deleted' });
    const kind = before === undefined ? 'added' : isSame(this.#before, now) ? undefined : 'modified';
    if (!now.isFolder) return kind && itemOf(folder, name, { kind });
    const isFolderBelow = before !== undefined && this.#before.isFolder;
    return itemOf(folder, name, { kind, below: isFolderBelow ? this.#foldersBelow(below.slice(before), bytes) : [] });
  }

  /** Reads the facts of what the trees below show under a name; answers which of them has it. */
  #findBelow(below: readonly Below[], name: Name): number | undefined {
    for (const [at, { file }] of below.entries()) {
      if (!this.#before.findNamed(file, name)) continue;
      return this.#before.isWhiteout ? undefined : at;
    }
    return undefined;
  }

  #foldersBelow(below: readonly Below[], name: Name): readonly number[] {
    const trees: number[] = [];
    for (const { tree, file } of below) {
      if (!this.#before.findNamed(file, name)) continue;
      if (!this.#before.isFolder) break;
      trees.push(tree);
    }
    return trees;
  }

  /** What an opaque folder hides and has not got itself. */
  #addHidden(folder: Folder, below: readonly Below[]): void {
    const known = new Set(folder.items.map(({ name }) => name));
    for (const { file } of below) {
      this.#listing.each(file, (bytes) => {
        const name = this.#listing.text;
        if (known.has(name)) return;
        known.add(name);
        if (this.#before.findNamed(file, bytes) && !this.#before.isWhiteout) folder.items.push(itemOf(folder, name, { kind: 'deleted' }));
      });
    }
  }
}

interface Below {
  readonly tree: number;
  readonly file: number;
}

interface Entry {
  readonly upper: number;
  readonly bytes: Name;
  readonly name: string;
}

function itemOf(
  { path }: Folder,
  name: string,
  { kind, below }: { readonly kind: Changed['kind'] | undefined; readonly below?: readonly number[] | undefined },
): Item {
  const made: Item = { name, kind, inside: undefined };
  if (below !== undefined) made.inside = { path: joined(path, name), items: [], item: made, below };
  return made;
}

function inOrder(top: Folder): readonly Changed[] {
  const changes: Changed[] = [];
  const pending = [{ folder: top, next: 0 }];
  for (let level = pending.at(-1); level !== undefined; level = pending.at(-1)) {
    const { folder } = level;
    const found = folder.items[level.next];
    level.next += 1;
    if (found === undefined) pending.pop();
    if (found?.kind !== undefined) changes.push({ path: joined(folder.path, found.name), kind: found.kind });
    if (found?.inside !== undefined) pending.push({ folder: found.inside, next: 0 });
  }
  return changes;
}

/** Content counts by size and time, as everywhere: a copy-up alone changes neither. */
function isSame(old: FileFacts, now: FileFacts): boolean {
  if (old.mode !== now.mode || old.uid !== now.uid || old.gid !== now.gid || old.device !== now.device) return false;
  return now.isFolder || (old.sizeBytes === now.sizeBytes && old.isAsOldAs(now));
}

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const inside = resolveFlags.inRoot | resolveFlags.noSymlinks | resolveFlags.noMagicLinks;
