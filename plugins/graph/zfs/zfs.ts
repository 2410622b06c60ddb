import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, messageOf, type Mount, notFound, type Usage } from '@gantry/sdk';
import { type AttachRequest, type FillRequest, type ResizeRequest, SnapshotDriver, type StatusResponse } from '@gantry/sdk/graph';
import { zfs, zpool } from './command.ts';
import { datasetOf, Datasets, type DatasetsOptions } from './datasets.ts';

/** `<key>/dataset` names the data set with the whole tree. The engine mounts it; once it is committed, its snapshot, which nobody can change. */
export class Zfs extends SnapshotDriver {
  readonly features = ['quota'] as const;
  readonly #datasets: Datasets;
  readonly #log: Logger;
  /** Folders of deleted snapshots that the pool did not let go: there are clones of them still, or something keeps them busy. */
  readonly #waiting = new Map<string, 'cloned' | 'busy'>();

  constructor(root: string, options: DatasetsOptions) {
    super(root, {
      erase: (folder) => this.#erase(folder),
      isMounted: (folder) => this.#datasets.isMounted(folder),
    });
    this.#datasets = new Datasets(root, options);
    this.#log = options.log;
  }

  /** What the snapshot wrote itself, as the pool counts it: compressed, with metadata. */
  async usage({ key }: { readonly key: string }): Promise<Usage> {
    const name = this.#datasetOf(key);
    // It is counted when it is written.
    await zpool(['sync', name.split('/')[0] ?? name]);
    const [bytes] = await zfs(['list', '-H', '-p', '-o', 'used', name]);
    return { bytes: Number(bytes) };
  }

  async resize({ key, quotaBytes }: ResizeRequest): Promise<void> {
    await this.#datasets.limit(this.folders.writable(key), quotaBytes);
  }

  /** Docker's lines. */
  async status(): Promise<StatusResponse> {
    const parent = await this.#datasets.parent();
    const pool = parent.split('/')[0] ?? parent;
    const [line = ''] = await zfs(['list', '-H', '-o', 'used,available,quota,compression', parent]);
    const [health = ''] = await zpool(['list', '-H', '-o', 'health', pool]);
    const [used = '', available = '', quota = '', compression = ''] = line.split('\t');
    const facts = {
      Zpool: pool,
      'Zpool Health': health,
      'Parent Dataset': parent,
      'Space Used By Parent': used,
      'Space Available': available,
      'Parent Quota': quota,
      Compression: compression,
    };
    return { status: Object.entries(facts).map(([label, value]) => ({ label, value })) };
  }

  async probe(): Promise<{ readonly usable: boolean; readonly reason?: string }> {
    if (!existsSync('/dev/zfs')) return { usable: false, reason: 'this kernel has no zfs (/dev/zfs)' };
    try {
      await this.#datasets.parent();
      return { usable: true };
    } catch (error) {
      return { usable: false, reason: messageOf(error) };
    }
  }

  protected async fill(folder: string, { key, below, quotaBytes = 0, signal }: FillRequest): Promise<void> {
    await this.#datasets.make(folder, { key, ...(below !== undefined && { from: below }), quotaBytes, signal });
  }

  protected override freeze(folder: string): Promise<void> {
    return this.#datasets.commit(folder);
  }

  protected show({ key, readOnly }: AttachRequest): Mount {
    const name = this.#datasetOf(key);
    const opaque = this.folders.isCommitted(key) ? `${name}@committed` : name;
    return { type: 'zfs', source: { opaque }, readOnly };
  }

  #datasetOf(key: string): string {
    const folder = this.folders.existing(key);
    if (!existsSync(join(folder, 'dataset'))) throw notFound(`snapshot ${key} has no data set`);
    return datasetOf(folder);
  }

  async #erase(folder: string): Promise<void> {
    const earlier = [...this.#waiting];
    try {
      await this.#tryErase(folder, attempts);
    } finally {
      // It may have been a clone of one of those. The kernel needs a moment for what was mounted until now; what was busy for longer is busy, or it is not.
      for (const [waiting, why] of earlier) await this.#tryErase(waiting, why === 'cloned' ? attempts : 1).catch(() => undefined);
    }
  }

  async #tryErase(folder: string, most: number): Promise<void> {
    try {
      if (!(await this.#datasets.destroy(folder, { attempts: most }))) return void this.#waiting.set(folder, 'cloned');
    } catch (error) {
      if (most > 1)
        this.#log.warn({ folder, error: messageOf(error) }, 'what was removed stays on the disk until the next removal, or start');
      this.#waiting.set(folder, 'busy');
      throw error;
    }
    await rm(folder, { recursive: true, force: true });
    this.#waiting.delete(folder);
  }
}

/** At a data set, a tenth of a second apart. */
const attempts = 20;
