import { posix } from 'node:path';
import type { Change, PathStat, SizeInfo } from '@gantry/sdk/engine';
import type { Abortable } from '@gantry/sdk';
import { forbidden, invalidArgument } from '@gantry/sdk';
import type { Rootfs } from '../layers/types.ts';
import type { Entry } from './entry.ts';
import type { Room } from './room.ts';
import { borrowTree } from './tree.ts';
import { idMapsOf } from './user-namespace.ts';

interface PutOptions extends Abortable {
  readonly noOverwriteDirNonDir: boolean;
  readonly copyUidGid: boolean;
}

/** The container's files, volumes included, whether it runs or not; nobody waits for a client that reads slowly. */
export class ContainerFiles {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  changes({ id }: Entry): Promise<readonly Change[]> {
    return this.#room.parts.layers.changes(id);
  }

  size({ id }: Entry): Promise<SizeInfo> {
    return this.#room.parts.layers.size(id);
  }

  async export(entry: Entry, options: Abortable = {}): Promise<AsyncIterable<Buffer>> {
    const rootfs = await this.#room.parts.layers.borrow(entry.id, options);
    this.#room.announce(entry, 'export');
    const idMaps = idMapsOf(this.#room, entry);
    return whileHeld(rootfs, this.#room.parts.archives.pack(rootfs.path, { ...options, idMaps }));
  }

  async stat(entry: Entry, path: string): Promise<PathStat> {
    checkPath(path);
    await using tree = await borrowTree(this.#room, entry);
    return await this.#room.parts.archives.stat(tree.path, path);
  }

  async get(
    entry: Entry,
    path: string,
    options: Abortable = {},
  ): Promise<{ readonly stat: PathStat; readonly tar: AsyncIterable<Buffer> }> {
    checkPath(path);
    const { archives } = this.#room.parts;
    await using undo = new AsyncDisposableStack();
    const tree = undo.use(await borrowTree(this.#room, entry, options));
    const stat = await archives.stat(tree.path, path);
    const tar = archives.pack(tree.path, { path, ...options, idMaps: idMapsOf(this.#room, entry) });
    this.#room.announce(entry, 'archive-path');
    undo.move();
    return { stat, tar: whileHeld(tree, tar) };
  }

  async put(entry: Entry, path: string, tar: AsyncIterable<Buffer>, options: PutOptions): Promise<void> {
    checkPath(path);
    await using tree = await borrowTree(this.#room, entry, options);
    await this.#room.parts.archives.stat(tree.path, path);
    mustBeWritable(entry, path);
    await this.#room.parts.archives.unpack(tree.path, path, tar, { ...options, idMaps: idMapsOf(this.#room, entry) });
    this.#room.announce(entry, 'extract-to-dir');
  }
}

async function* whileHeld(tree: Rootfs, tar: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  await using _held = tree;
  yield* tar;
}

function checkPath(path: string): void {
  if (path === '') throw invalidArgument('bad parameter: path cannot be empty');
  if (path.includes('\0')) throw invalidArgument(`path ${JSON.stringify(path)} has a NUL byte`);
}

/** The mount that the path lies in decides, else the root; where symlinks lead elsewhere, the mount itself refuses. */
function mustBeWritable({ document: { mounts, hostConfig } }: Entry, path: string): void {
  const absolute = posix.join('/', path, '/');
  const inside = mounts.filter(({ destination }) => absolute.startsWith(posix.join(destination, '/')));
  const nearest = inside.toSorted((a, b) => b.destination.length - a.destination.length)[0];
  if (nearest === undefined && hostConfig.ReadonlyRootfs === true) throw forbidden('container rootfs is marked read-only');
  if (nearest?.readOnly === true) throw forbidden('mounted volume is marked read-only');
}
