import { closeSync, constants, existsSync, openSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { alreadyExists } from '@gantry/sdk';
import { failpoint, shortRandom, syncFolder } from '../support/index.ts';
import type { Trees } from './types.ts';
import { failure } from './failure.ts';

const suffix = '.fetch.tmp';

/** A folder beside the target in which a plugin is put together: `tree` becomes the target by one rename, or nothing does. */
export class Staging implements AsyncDisposable {
  readonly #folder: string;
  readonly #target: string;

  private constructor(folder: string, target: string) {
    this.#folder = folder;
    this.#target = target;
  }

  static async open(target: string): Promise<Staging> {
    if (existsSync(target)) throw alreadyExists(`${target} is there already`);
    const folder = join(dirname(target), `.${basename(target).slice(0, 100)}.${shortRandom()}${suffix}`);
    try {
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await mkdir(folder, { mode: 0o700 });
      const staging = new Staging(folder, target);
      await mkdir(staging.tree, { mode: 0o755 });
      return staging;
    } catch (error) {
      throw failure(error, `make ${folder}`);
    }
  }

  get tree(): string {
    return join(this.#folder, 'tree');
  }

  /** For what is needed on the way only. */
  path(name: string): string {
    return join(this.#folder, name);
  }

  /** The target exists, whole and durable, when this resolves: the tree, or what else was made here. */
  async publish(trees: Trees, made: string = this.tree): Promise<string> {
    try {
      failpoint('plugin.sync');
      await synced(this.#folder, trees);
      failpoint('plugin.rename');
      await rename(made, this.#target);
      await syncFolder(dirname(this.#target));
      return this.#target;
    } catch (error) {
      throw failure(error, `put the plugin into ${this.#target}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Removes what crashes left among the plugins in a folder; only while nothing is being fetched. */
export async function sweepStaging(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (name.startsWith('.') && name.endsWith(suffix)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function synced(path: string, trees: Trees): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await trees.run('sync', { fd });
  } finally {
    closeSync(fd);
  }
}
