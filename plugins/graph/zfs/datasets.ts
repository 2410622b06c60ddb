import { randomBytes } from 'node:crypto';
import { existsSync, globSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Abortable, codeOf, GantryError, type Logger, messageOf, unavailable } from '@gantry/sdk';
import { fileSystemMagic, readMountinfo, syncFileSystem } from '@gantry/sdk/linux';
import { isDatasetName, zfs } from './command.ts';

export interface DatasetsOptions {
  /** Absent: the data set that the root is on. */
  readonly parent?: string;
  readonly log: Logger;
}

/**
 * One data set per snapshot, below `parent`: `gantry.<key>.<random>`. Its name stands in the snapshot's folder before it is made, so that none is lost; a property says
 * whose it is. What is committed is its snapshot `@committed`, of which children are clones.
 */
export class Datasets {
  readonly #root: string;
  readonly #options: DatasetsOptions;
  readonly #owner: string;
  /** The data set below which all are. */
  #parent: Promise<string> | undefined;

  constructor(root: string, options: DatasetsOptions) {
    this.#root = root;
    this.#options = options;
    this.#owner = ownerOf(root);
  }

  /** The data set below which all are; `unavailable` says why there is none. */
  async parent(): Promise<string> {
    this.#parent ??= this.#open();
    try {
      return await this.#parent;
    } catch (error) {
      this.#parent = undefined;
      throw error;
    }
  }

  /** A new one for a folder, empty or a clone of another folder's committed content. */
  async make(
    folder: string,
    { key, from, quotaBytes, signal }: { readonly key: string; readonly from?: string; readonly quotaBytes: number } & Abortable,
  ): Promise<void> {
    const name = `${await this.parent()}/gantry.${key}.${randomBytes(4).toString('hex')}`;
    writeFileSync(join(folder, 'dataset'), name, { flush: true });
    const properties = [
      'mountpoint=legacy',
      'acltype=posix',
      'xattr=sa',
      `${ownerProperty}=${this.#owner}`,
      ...(quotaBytes > 0 ? [`quota=${quotaBytes}`] : []),
    ];
    const given = properties.flatMap((property) => ['-o', property]);
    const source = from === undefined ? [] : [`${datasetOf(from)}@committed`];
    await zfs([from === undefined ? 'create' : 'clone', ...given, ...source, name], { ...(signal && { signal }) });
  }

  /** Resolves when the content is on the disk, as it is then, and so are the names: they may be on another file system. A second call does nothing. */
  async commit(folder: string): Promise<void> {
    await syncFileSystem(folder);
    await ignoring('already_exists', zfs(['snapshot', `${datasetOf(folder)}@committed`]));
  }

  async limit(folder: string, quotaBytes: number): Promise<void> {
    await zfs(['set', `quota=${quotaBytes > 0 ? quotaBytes : 'none'}`, datasetOf(folder)]);
  }

  /** False while there are clones of it. Not there: nothing to do. The kernel needs a moment to let go of what was unmounted. */
  async destroy(folder: string, { attempts }: { readonly attempts: number }): Promise<boolean> {
    if (!existsSync(join(folder, 'dataset'))) return true;
    for (let attempt = 1; ; attempt++) {
      try {
        await destroyed(datasetOf(folder));
        return true;
      } catch (error) {
        if (messageOf(error).includes('dependent clones')) return false;
        if (codeOf(error) !== 'conflict' || attempt >= attempts) throw error;
      }
      await sleep(100);
    }
  }

  /** As the mount table of this process says, which is the engine's. */
  isMounted(folder: string): boolean {
    if (!existsSync(join(folder, 'dataset'))) return false;
    const name = datasetOf(folder);
    return readMountinfo().some(({ type, source }) => type === 'zfs' && (source === name || source === `${name}@committed`));
  }

  async #open(): Promise<string> {
    const parent = this.#options.parent ?? datasetBelow(this.#root);
    if (parent === undefined)
      throw unavailable(`${this.#root} is not on zfs`, { hint: 'name a data set with the storage option zfs.fsname' });
    await zfs(['list', '-H', '-o', 'name', '-t', 'filesystem', parent]);
    await this.#sweep(parent);
    return parent;
  }

  /** Those of ours whose folders a power cut took. */
  async #sweep(parent: string): Promise<void> {
    const lines = await zfs(['list', '-H', '-r', '-d', '1', '-t', 'filesystem', '-o', `${ownerProperty},name`, parent]);
    const known = new Set(globSync(join(this.#root, '*/dataset')).map((file) => readFileSync(file, 'utf8')));
    for (const line of lines) {
      const [whose, name = ''] = line.split('\t');
      if (whose !== this.#owner || known.has(name) || !basename(name).startsWith('gantry.')) continue;
      try {
        await destroyed(name);
      } catch (error) {
        this.#options.log.warn({ dataset: name, error: messageOf(error) }, 'a data set that belongs to no snapshot stays');
      }
    }
  }
}

/** The name that stands in a snapshot's folder; what is no name there is a damaged disk. */
export function datasetOf(folder: string): string {
  const name = readFileSync(join(folder, 'dataset'), 'utf8');
  if (!/^[^@\s]+\/gantry\.[a-z0-9._-]+$/.test(name)) throw new GantryError('data_loss', `${folder}/dataset names no data set`);
  return name;
}

const ownerProperty = 'io.gantry:owner';

/** Which data root made them: several may share a pool, and what is not ours is nobody's to destroy. */
function ownerOf(root: string): string {
  const file = join(root, 'OWNER');
  if (!existsSync(file)) writeFileSync(file, randomBytes(8).toString('hex'), { flush: true });
  return readFileSync(file, 'utf8');
}

/** The data set of a folder, when that is on zfs: of the mount that is the deepest above it. */
function datasetBelow(folder: string): string | undefined {
  if (statfsSync(folder).type !== fileSystemMagic.zfs) return undefined;
  const above = readMountinfo().filter(
    ({ type, mountPoint }) => type === 'zfs' && `${folder}/`.startsWith(`${mountPoint.replace(/\/$/, '')}/`),
  );
  const source = above.toSorted((left, right) => right.mountPoint.length - left.mountPoint.length)[0]?.source;
  return source !== undefined && isDatasetName(source) ? source : undefined;
}

/** With its snapshots, never what others made of them. */
async function destroyed(name: string): Promise<void> {
  await ignoring('not_found', zfs(['destroy', '-r', name]));
}

async function ignoring(code: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (codeOf(error) !== code) throw error;
  }
}
