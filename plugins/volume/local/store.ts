import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { dataLoss, fromErrno, messageOf } from '@gantry/sdk';
import { isErrno } from '@gantry/sdk/linux';
import type { Options } from './options.ts';

/** How a volume is kept, where it is more than a folder. */
export interface Shape {
  /** An ext4 in a file, made with that size. */
  readonly diskBytes?: number;
  /** The project id by which the file system limits the folder. */
  readonly projectId?: number;
  readonly snapshotOf?: string;
  readonly cloneOf?: string;
}
export interface Stored {
  readonly created: Date;
  readonly options: Options;
  readonly shape: Shape;
}

/** Prefixes of folders that are no volumes: half made, half removed. Volume names never begin with a dot. */
const halfMade = '.new-';
const halfGone = '.gone-';
const dataName = '_data';
const diskName = 'disk.img';
const optionsFile = 'opts.json';
const shapeFile = 'shape.json';

/** Folders `<name>/_data` (or `<name>/disk.img`) below the plugin's data folder. A volume appears whole and durable, and goes at once. */
export class Store {
  readonly #root: string;

  /** What a killed engine left half done goes away. */
  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(root)) {
      if (name.startsWith(halfMade) || name.startsWith(halfGone)) rmSync(join(root, name), { recursive: true, force: true });
    }
  }

  get(name: string): Stored | undefined {
    const data =
      statSync(this.path(name), { throwIfNoEntry: false }) ?? statSync(join(this.#root, name, diskName), { throwIfNoEntry: false });
    return data === undefined ? undefined : { created: data.birthtimeMs > 0 ? data.birthtime : data.ctime, ...this.#described(name) };
  }

  names(): readonly string[] {
    return readdirSync(this.#root)
      .filter((name) => !name.startsWith('.'))
      .toSorted();
  }

  /** Below the plugin's data folder. */
  dataPath(name: string): string {
    return `${name}/${dataName}`;
  }

  diskPath(name: string): string {
    return `${name}/${diskName}`;
  }

  path(name: string): string {
    return join(this.#root, name, dataName);
  }

  diskFile(name: string): string {
    return join(this.#root, name, diskName);
  }

  /** `fill` makes what is in the volume's folder (`_data` or `disk.img`), durable, and says how it is kept. Somebody else was quicker: that volume. */
  async create(name: string, options: Options, fill: (folder: string) => Promise<Shape> | Shape): Promise<Stored> {
    const temporary = join(this.#root, `${halfMade}${randomBytes(8).toString('hex')}`);
    try {
      mkdirSync(temporary, { mode: 0o701 });
      const shape = await fill(temporary);
      this.#describe(temporary, options, shape);
      sync(temporary);
      const isFirst = publish(temporary, join(this.#root, name));
      if (isFirst) sync(this.#root);
      else rmSync(temporary, { recursive: true, force: true });
    } catch (error) {
      rmSync(temporary, { recursive: true, force: true });
      throw fromErrno(error, `create volume ${name}`);
    }
    return this.get(name) ?? { created: new Date(), options, shape: {} };
  }

  rename(name: string, to: string): void {
    try {
      renameSync(join(this.#root, name), join(this.#root, to));
      sync(this.#root);
    } catch (error) {
      throw fromErrno(error, `rename volume ${name}`);
    }
  }

  /** The name is free when this resolves; unknown: nothing to do. */
  async remove(name: string): Promise<void> {
    const gone = join(this.#root, `${halfGone}${randomBytes(8).toString('hex')}`);
    try {
      renameSync(join(this.#root, name), gone);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return;
      throw fromErrno(error, `remove volume ${name}`);
    }
    sync(this.#root);
    try {
      await rm(gone, { recursive: true, force: true });
    } catch (error) {
      throw fromErrno(error, `delete the data of volume ${name}`);
    }
  }

  /** Most volumes have neither options nor a shape; one that has a shape has both files. */
  #describe(folder: string, options: Options, shape: Shape): void {
    const hasShape = Object.keys(shape).length > 0;
    if (Object.keys(options).length > 0 || hasShape) writeWhole(folder, optionsFile, options);
    if (hasShape) writeWhole(folder, shapeFile, shape);
  }

  #described(name: string): Pick<Stored, 'options' | 'shape'> {
    const folder = join(this.#root, name);
    // Most volumes have none, and an exception costs more than the look.
    if (!existsSync(join(folder, optionsFile))) return { options: {}, shape: {} };
    try {
      const options = Object.fromEntries(Object.entries(readObject(join(folder, optionsFile))).map(([key, text]) => [key, String(text)]));
      const shape = existsSync(join(folder, shapeFile)) ? shapeOf(readObject(join(folder, shapeFile))) : {};
      return { options, shape };
    } catch (error) {
      throw dataLoss(`options of volume ${name} cannot be read: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** False when there is a volume of that name. */
function publish(temporary: string, path: string): boolean {
  try {
    renameSync(temporary, path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST')) return false;
    throw error;
  }
}

function writeWhole(folder: string, name: string, value: object): void {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
}

function readObject(path: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function shapeOf({ diskBytes, projectId, snapshotOf, cloneOf }: Readonly<Record<string, unknown>>): Shape {
  return {
    ...(typeof diskBytes === 'number' ? { diskBytes } : {}),
    ...(typeof projectId === 'number' ? { projectId } : {}),
    ...(typeof snapshotOf === 'string' ? { snapshotOf } : {}),
    ...(typeof cloneOf === 'string' ? { cloneOf } : {}),
  };
}

function sync(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
