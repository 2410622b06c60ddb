import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  openSync,
  fsyncSync,
  closeSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { dataLoss, fromErrno, messageOf } from '@gantry/sdk';

export type Options = Readonly<Record<string, string>>;
export interface Stored {
  readonly created: Date;
  readonly options: Options;
}

/** Prefixes of folders that are no volumes: half made, half removed. Volume names never begin with a dot. */
const halfMade = '.new-';
const halfGone = '.gone-';

/** Folders `<name>/_data` below the plugin's data folder. A volume appears whole and durable, and goes at once. */
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
    const data = statSync(join(this.#root, name, '_data'), { throwIfNoEntry: false });
    return data === undefined ? undefined : { created: data.birthtimeMs > 0 ? data.birthtime : data.ctime, options: this.#options(name) };
  }

  names(): readonly string[] {
    return readdirSync(this.#root)
      .filter((name) => !name.startsWith('.'))
      .toSorted();
  }

  dataPath(name: string): string {
    return `${name}/_data`;
  }

  path(name: string): string {
    return join(this.#root, name, '_data');
  }

  create(name: string, options: Options): Stored {
    const temporary = join(this.#root, `${halfMade}${randomBytes(8).toString('hex')}`);
    try {
      mkdirSync(temporary, { mode: 0o701 });
      mkdirSync(join(temporary, '_data'), { mode: 0o755 });
      if (Object.keys(options).length > 0) {
        writeFileSync(join(temporary, 'opts.json'), JSON.stringify(options), { mode: 0o600, flush: true });
      }
      sync(temporary);
      renameSync(temporary, join(this.#root, name));
      sync(this.#root);
    } catch (error) {
      rmSync(temporary, { recursive: true, force: true });
      throw fromErrno(error, `create volume ${name}`);
    }
    return this.get(name) ?? { created: new Date(), options };
  }

  /** The name is free when this resolves; unknown: nothing to do. */
  async remove(name: string): Promise<void> {
    const gone = join(this.#root, `${halfGone}${randomBytes(8).toString('hex')}`);
    try {
      renameSync(join(this.#root, name), gone);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
      throw fromErrno(error, `remove volume ${name}`);
    }
    sync(this.#root);
    try {
      await rm(gone, { recursive: true, force: true });
    } catch (error) {
      throw fromErrno(error, `delete the data of volume ${name}`);
    }
  }

  #options(name: string): Options {
    const path = join(this.#root, name, 'opts.json');
    // Most volumes have none, and an exception costs more than the look.
    if (!existsSync(path)) return {};
    try {
      const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
      return typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]))
        : {};
    } catch (error) {
      throw dataLoss(`options of volume ${name} cannot be read: ${messageOf(error)}`, { cause: error });
    }
  }
}

function sync(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
