import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync, realpathSync, rmSync, writeSync } from 'node:fs';
import { posix } from 'node:path';
import { conflict, invalidArgument, notFound } from '@gantry/sdk';
import { isErrno, rootOf, setFileOwner, syncfs } from '@gantry/sdk/linux';
import { failpoint } from '../../support/index.ts';
import { TarReader } from '../tar/index.ts';
import { composeLayer, sourceTree } from '../copy/compose.ts';
import { choiceDigest } from '../copy/digest.ts';
import { indexArchive } from '../copy/index-archive.ts';
import { RootTree } from '../copy/root-tree.ts';
import { wayDigest } from '../copy/way.ts';
import { packedChanges } from './change-list.ts';
import type { Channel } from './channel.ts';
import { compare, upperEntries } from './compare.ts';
import { decompressed } from './decompress.ts';
import { type EntryPath, joined, textOf } from './entry-path.ts';
import { fingerprint } from './fingerprint.ts';
import { inherit } from './inherit.ts';
import { makeInitFiles } from './init-files.ts';
import { emptyMountPoints } from './mount-points.ts';
import { Packer } from './packer.ts';
import { absoluteOf, meansContent, pathStat, statAt } from './path-stat.ts';
import type { Comparison, JobName, JobOf, ResultOf } from './protocol.ts';
import { enter, enterBelow } from './root.ts';
import { blame, isWhiteout, namesIn, removeTree, statOf } from './tree.ts';
import type { UnpackRules } from './unpack-rules.ts';
import { Unpacker } from './unpacker.ts';
import { type Found, walk } from './walk.ts';

type Handler<Name extends JobName> = (job: JobOf<Name>, channel: Channel) => Promise<ResultOf<Name>> | ResultOf<Name>;

/** What this thread does for each kind of job. All files of the real tree are opened before it enters a foreign one. */
export const handlers: { readonly [Name in JobName]: Handler<Name> } = {
  async apply({ root, fd, whiteouts, isDiffIdKnown }, channel) {
    enter(root);
    const hash = isDiffIdKnown ? undefined : createHash('sha256');
    const { totalBytes: sizeBytes, impliedFolders } = await unpackAll(decompressed(chunksOf(fd, channel)), { whiteouts }, hash);
    const implied = whiteouts === 'overlay' ? impliedFolders : [];
    return { diffId: hash === undefined ? '' : `sha256:${hash.digest('hex')}`, sizeBytes, implied };
  },

  inherit({ root, lower, folders }) {
    return inherit(root, lower, folders);
  },

  async unpack({ root, path, rules }, channel) {
    enter(root);
    const folder = realFolder(path);
    if (!statAt(folder).isDirectory()) throw invalidArgument('extraction point is not a directory');
    const below = Buffer.from(folder.slice(1)).toString('latin1');
    // Through a mapped mount nobody makes files but those that it shows.
    if (rules.idMaps !== undefined) setFileOwner(rootOf(rules.idMaps));
    await unpackAll(decompressed(channel.input()), { ...rules, below });
    return {};
  },

  pack({ root, path, rebase, idMaps }, channel) {
    enter(root);
    const packer = new Packer({ write: (bytes) => channel.output(owned(bytes)) }, { idMaps });
    packPath(packer, path, rebase);
    packer.finish();
    return {};
  },

  diff({ comparison, fd, latestSeconds, mountPoints = [] }, channel) {
    const hash = createHash('sha256');
    let tarBytes = 0;
    const write = (bytes: Buffer): void => {
      channel.check();
      failpoint('diff.write');
      hash.update(bytes);
      for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
      tarBytes += bytes.length;
    };
    const packer = new Packer({ write }, { latestSeconds });
    packDiff(packer, comparison, emptyMountPoints(comparison, mountPoints));
    packer.finish();
    return { digest: `sha256:${hash.digest('hex')}`, tarBytes, sizeBytes: packer.contentBytes };
  },

  changes({ comparison }) {
    return packedChanges(compare(comparison));
  },

  size({ comparison }) {
    const inodes = new Set<number>();
    let bytes = 0;
    for (const { stat } of comparison.kind === 'overlay' ? upperEntries(comparison.upper) : changedEntries(comparison)) {
      if (stat.isDirectory() || inodes.has(stat.ino)) continue;
      inodes.add(stat.ino);
      bytes += stat.size;
    }
    return bytes;
  },

  stat({ root, path }) {
    enter(root);
    return pathStat(path);
  },

  async copyUp({ root, path, target, spoolFd, keepsRoot }, channel) {
    enter(target);
    if (namesIn('').length > 0) return {};
    enter(root);
    const folder = posix.join('/', path, '/');
    if (statOf(Buffer.from(folder.slice(1)).toString('latin1'))?.isDirectory() !== true) return {};
    enterBelow(folder);
    const packer = new Packer({ write: (bytes) => void writeSync(spoolFd, bytes) });
    packPath(packer, '/', '.');
    packer.finish();
    enter(target);
    // Below a folder, be it the root, the root's own entry is passed over.
    await unpackAll(chunksOf(spoolFd, channel), { whiteouts: 'none', ...(keepsRoot && { below: '' }) });
    return {};
  },

  fingerprint({ root }, channel) {
    return fingerprint(root, () => channel.check());
  },

  remove({ root, path }) {
    enter(root);
    const place = placeOf(path);
    if (place === undefined) return {};
    refuseMounts(place);
    removeTree(place);
    return {};
  },

  sync({ fd }) {
    syncfs(fd);
    return {};
  },

  async ingest({ path }, channel) {
    return ingest(decompressed(channel.input()), path);
  },

  index({ fd }, channel) {
    return indexArchive(fd, decompressed(channel.input()), () => channel.check());
  },

  compose(job) {
    return composeLayer(job);
  },

  choose({ source, choice, keepsOwners }) {
    if (source.kind === 'root') enter(source.root);
    return choiceDigest(sourceTree(source), choice, { keepsOwners });
  },

  way({ root, path }) {
    enter(root);
    return wayDigest(new RootTree(), path);
  },

  init({ root }) {
    enter(root);
    makeInitFiles();
    return {};
  },
};

async function unpackAll(source: Iterable<Buffer> | AsyncIterable<Buffer>, rules: UnpackRules, hash?: Hash): Promise<Unpacker> {
  const unpacker = new Unpacker(rules);
  try {
    const reader = new TarReader(unpacker);
    for await (const chunk of source) {
      failpoint('layer.apply');
      hash?.update(chunk);
      reader.write(chunk);
    }
    reader.finish();
    unpacker.finish();
    return unpacker;
  } finally {
    unpacker.close();
  }
}

/** The path with symlinks on the way followed inside this thread's root; the last part may be one, and is then meant itself. Undefined: not there. */
function placeOf(path: string): EntryPath | undefined {
  try {
    const folder = realpathSync(posix.dirname(posix.join('/', path)));
    const place = Buffer.from(posix.join(folder, posix.basename(path)).slice(1)).toString('latin1');
    return statOf(place) === undefined ? undefined : place;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw blame(error, path);
  }
}

/** What is deleted is the tree's own: another file system in it is somebody else's. */
function refuseMounts(place: EntryPath): void {
  const { dev } = statAt('/');
  const top = statOf(place);
  const foreign = top !== undefined && top.dev !== dev ? place : top?.isDirectory() === true ? foreignIn(place, dev) : undefined;
  if (foreign !== undefined) throw conflict(`${textOf(foreign)} is on another file system, so nothing was deleted`);
}

function foreignIn(place: EntryPath, dev: number): EntryPath | undefined {
  for (const { path, stat } of walk(place)) if (stat.dev !== dev) return path;
  return undefined;
}

/** Where the path leads inside this thread's root. */
function realFolder(path: string): string {
  try {
    return realpathSync(posix.join('/', path));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) throw notFound(`Could not find the file ${path}`, { cause: error });
    throw blame(error, path);
  }
}

/** Writes a stream into a new file. */
async function ingest(source: AsyncIterable<Buffer>, path: string): Promise<ResultOf<'ingest'>> {
  const fd = openSync(path, 'wx', 0o600);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  try {
    for await (const chunk of source) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      for (let written = 0; written < chunk.length; ) written += writeSync(fd, chunk, written);
    }
    return { path, digest: `sha256:${hash.digest('hex')}`, sizeBytes };
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** The same memory for every chunk: whoever gets one has used it up before he asks for the next. */
function* chunksOf(fd: number, channel: Channel): Iterable<Buffer> {
  const chunk = Buffer.allocUnsafeSlow(1024 * 1024);
  for (let at = 0; ; ) {
    channel.check();
    const got = readSync(fd, chunk, 0, chunk.length, at);
    if (got === 0) return;
    at += got;
    yield chunk.subarray(0, got);
  }
}

function packPath(packer: Packer, path: string, rebase: string | undefined): void {
  const absolute = absoluteOf(path);
  const start = Buffer.from(absolute.replace(/^\/+|\/+$/g, '')).toString('latin1');
  const stat = statAt(absolute);
  const own = meansContent(path) ? '.' : posix.basename(start);
  const name =
    rebase === undefined
      ? own
      : Buffer.from(rebase)
          .toString('latin1')
          .replace(/^\/+|\/+$/g, '');
  if (name !== '') packer.add(start, stat, name);
  if (!stat.isDirectory()) return;
  for (const found of walk(start)) packer.add(found.path, found.stat, joined(name, found.path.slice(start === '' ? 0 : start.length + 1)));
}

function packDiff(packer: Packer, comparison: Comparison, leftOut: ReadonlySet<EntryPath>): void {
  if (comparison.kind === 'overlay') {
    for (const { path, stat, isOpaque } of upperEntries(comparison.upper)) {
      if (leftOut.has(path)) continue;
      const mtime = Math.floor(stat.mtimeMs / 1000);
      if (isWhiteout(stat)) packer.addWhiteout(path, mtime);
      else packer.add(path, stat);
      if (isOpaque) packer.addOpaque(path, mtime);
    }
    return;
  }
  for (const { path, kind } of compare(comparison)) {
    if (leftOut.has(path)) continue;
    const stat = kind === 'deleted' ? undefined : statOf(path);
    if (kind === 'deleted') packer.addWhiteout(path, Math.floor(Date.now() / 1000));
    else if (stat !== undefined) packer.add(path, stat);
  }
}

/** What a whole tree has and the other one has not, or not so. */
function* changedEntries(comparison: Comparison): Iterable<Found> {
  for (const { path, kind } of compare(comparison)) {
    const stat = kind === 'deleted' ? undefined : statOf(path);
    if (stat !== undefined) yield { path, stat };
  }
}

/** The bytes as a piece of memory of their own, which can be given away. */
function owned(bytes: Buffer): Uint8Array<ArrayBuffer> {
  const isWhole = bytes.buffer instanceof ArrayBuffer;
  return isWhole ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : new Uint8Array(bytes);
}
