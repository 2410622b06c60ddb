import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { body, endOfArchive, entry, header } from '../support/images/tar-builder.ts';

export interface BigImage {
  readonly path: string;
  readonly sizeBytes: number;
  /** Paths of the layer tars inside the archive. */
  readonly layers: readonly string[];
}

export const bigImageReference = 'gantry-bench/big:latest';

/** 30,000 files in six layers, about 540 MB: the same bytes on every machine. Made once, then kept in the folder. */
export function bigImage(folder: string): BigImage {
  const path = join(folder, `big-${version}.tar`);
  if (!existsSync(path)) write(path);
  return { path, sizeBytes: statSync(path).size, layers: layers.map((_, index) => layerPath(index)) };
}

const version = 1;
const kilobyte = 1024;
const megabyte = 1024 * kilobyte;

/** Files of a layer by size, as distributions have them: many small ones, few large ones. */
interface Layer {
  readonly small: number;
  readonly medium: number;
  readonly large: number;
}

const layers: readonly Layer[] = [
  { small: 5000, medium: 1500, large: 4 },
  { small: 4500, medium: 1200, large: 2 },
  { small: 4500, medium: 1100, large: 1 },
  { small: 4000, medium: 1000, large: 3 },
  { small: 3500, medium: 900, large: 2 },
  { small: 2200, medium: 586, large: 2 },
];
const largeBytes = 10 * megabyte;

function write(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(`${path}.tmp`, 'w');
  const diffIds = layers.map((layer, index) => {
    const size = [...pieces(layer, index)].reduce((sum, piece) => sum + piece.length, 0);
    writeSync(file, header({ name: layerPath(index), size }));
    const hash = createHash('sha256');
    for (const piece of pieces(layer, index)) {
      hash.update(piece);
      writeSync(file, piece);
    }
    return `sha256:${hash.digest('hex')}`;
  });
  writeSync(file, metadata(diffIds));
  closeSync(file);
  renameSync(`${path}.tmp`, path);
}

function metadata(diffIds: readonly string[]): Buffer {
  const config = {
    architecture: 'amd64',
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: { Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: [],
  };
  const manifest = [{ Config: 'config.json', RepoTags: [bigImageReference], Layers: layers.map((_, index) => layerPath(index)) }];
  return Buffer.concat([entry('config.json', JSON.stringify(config)), entry('manifest.json', JSON.stringify(manifest)), endOfArchive]);
}

function layerPath(index: number): string {
  return `layer${index}/layer.tar`;
}

/** A layer tar in pieces: a header and body for each file, a hundred files to a folder. */
function* pieces({ small, medium, large }: Layer, index: number): Generator<Buffer> {
  const random = randomOf(index + 1);
  for (let file = 0; file < small + medium + large; file += 1) {
    const folder = `usr/share/layer${index}/folder${Math.floor(file / 100)}`;
    if (file % 100 === 0) yield header({ name: `${folder}/`, type: '5', mode: 0o755 });
    const size = file < small ? random(4 * kilobyte) : file < small + medium ? 4 * kilobyte + random(96 * kilobyte) : largeBytes;
    const start = random(pool.length - size);
    yield header({ name: `${folder}/file${file}`, size, mtime: 1_600_000_000 + file });
    yield body(pool.subarray(start, start + size));
  }
  yield endOfArchive;
}

// Half of it compresses, as programs and texts do.
const pool = makePool(16 * megabyte);

function makePool(size: number): Buffer {
  const random = randomOf(42);
  const words = new Uint32Array(size / 4);
  for (let word = 0; word < words.length; word += 1) words[word] = word & 64 ? 0x20746f6e : random(0xffff_ffff);
  return Buffer.from(words.buffer);
}

/** xorshift32: the same numbers everywhere. */
function randomOf(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
