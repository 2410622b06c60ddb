import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Attachment, conflict, type Ctx, messageOf, notFound, notImplemented, type Usage } from '@gantry/sdk';
import {
  type AttachRequest,
  type CommitRequest,
  type DetachRequest,
  type GraphDriver,
  type PrepareRequest,
  type RemoveRequest,
  type ResizeRequest,
  type Snapshot,
  type StatusResponse,
  SnapshotFolders,
} from '@gantry/sdk/graph';
import { zfs, zpool } from './command.ts';
import { datasetOf, Datasets, type DatasetsOptions } from './datasets.ts';

/** `<key>/dataset` names the data set with the whole tree. The engine mounts it; once it is committed, its snapshot, which nobody can change. */
export class Zfs implements GraphDriver {
  readonly features = ['quota'] as const;
  readonly #folders: SnapshotFolders;
  readonly #datasets: Datasets;
  /** Folders of deleted snapshots of which there are clones still: those were to stay. */
  readonly #cloned = new Set<string>();

  constructor(root: string, options: DatasetsOptions) {
    this.#datasets = new Datasets(root, options);
    this.#folders = new SnapshotFolders(root, {
      erase: (folder) => this.#erase(folder),
      isMounted: (folder) => this.#datasets.isMounted(folder),
    });
  }

  async prepare(request: PrepareRequest, { signal }: Pick<Ctx, 'signal'>): Promise<{ readonly ready: boolean }> {
    const { key, chain, quotaBytes = 0 } = request;
    const [parent] = chain;
    await this.#folders.prepare(request, async (folder) => {
      if (parent !== undefined && !this.#folders.isCommitted(parent))
        throw conflict(`parent ${parent} of snapshot ${key} is not committed`);
      const from = parent === undefined ? {} : { from: this.#folders.existing(parent) };
      await this.#datasets.make(folder, { key, ...from, quotaBytes, signal });
    });
    return { ready: false };
  }

  async commit(request: CommitRequest): Promise<Record<string, never>> {
    await this.#folders.commit(request, (folder) => this.#datasets.commit(folder));
    return {};
  }

  async remove(request: RemoveRequest): Promise<void> {
    await this.#folders.remove(request);
  }

  async attach(request: AttachRequest): Promise<{ readonly attachment: Attachment }> {
    const { key, readOnly, view } = request;
    if (view === 'changes') throw notImplemented('zfs keeps whole trees, not changes');
    this.#folders.checkAttach(request);
    const name = this.#datasetOf(key);
    const opaque = this.#folders.isCommitted(key) ? `${name}@committed` : name;
    return { attachment: { mounts: [{ type: 'zfs', source: { opaque }, readOnly }], shareable: readOnly } };
  }

  async detach(request: DetachRequest): Promise<void> {
    this.#folders.detach(request);
  }

  async *list(): AsyncIterable<Snapshot> {
    yield* this.#folders.list();
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
    const folder = this.#folders.existing(key);
    if (this.#folders.isCommitted(key)) throw conflict(`snapshot ${key} is committed: its size cannot change`);
    await this.#datasets.limit(folder, quotaBytes);
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

  /** Resolves when deleted snapshots are gone; the pool gives their space back in the background. */
  settled(): Promise<void> {
    return this.#folders.settled();
  }

  #datasetOf(key: string): string {
    const folder = this.#folders.existing(key);
    if (!existsSync(join(folder, 'dataset'))) throw notFound(`snapshot ${key} has no data set`);
    return datasetOf(folder);
  }

  async #erase(folder: string): Promise<void> {
    await this.#eraseUncloned(folder);
    for (const waiting of this.#cloned) if (waiting !== folder) await this.#eraseUncloned(waiting).catch(() => undefined); // the next time, or the next start
  }

  async #eraseUncloned(folder: string): Promise<void> {
    if (await this.#datasets.destroy(folder)) {
      await rm(folder, { recursive: true, force: true });
      this.#cloned.delete(folder);
    } else this.#cloned.add(folder);
  }
}
