import { chmodSync, statfsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Attachment, conflict, type Ctx, fromErrno, notImplemented, type Usage } from '@gantry/sdk';
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
import {
  btrfsQuotaMode,
  createSubvolume,
  deleteSubvolume,
  freezeSubvolume,
  reclaimSubvolumes,
  snapshotSubvolume,
  subvolumeAt,
  subvolumeUsage,
  syncfsAside,
} from '@gantry/sdk/linux';
import { probeBtrfs } from './probe.ts';
import { Quotas } from './quotas.ts';
import type { BtrfsSettings } from './settings.ts';

/** `<key>/tree` is a subvolume with the whole tree: a snapshot of the parent's. Once committed it is read-only for everybody. */
export class Btrfs implements GraphDriver {
  readonly features = ['quota'] as const;
  readonly #root: string;
  readonly #folders: SnapshotFolders;
  readonly #quotas: Quotas;
  /** Folders of deleted snapshots whose quota groups the kernel still needs. */
  readonly #counted = new Set<string>();
  #roomMadeMs = Number.NEGATIVE_INFINITY;

  constructor(root: string, settings: BtrfsSettings) {
    this.#root = root;
    this.#quotas = new Quotas(root, settings);
    this.#folders = new SnapshotFolders(root, { erase: (folder) => this.#erase(folder) });
  }

  async prepare(request: PrepareRequest, { signal }: Pick<Ctx, 'signal'>): Promise<{ readonly ready: boolean }> {
    const { key, chain, quotaBytes = 0 } = request;
    const [parent] = chain;
    this.#quotas.check(quotaBytes);
    await this.#folders.prepare(request, async (folder) => {
      if (parent === undefined) {
        await createSubvolume(folder, 'tree');
        chmodSync(treeOf(folder), 0o755);
      } else {
        if (!this.#folders.isCommitted(parent)) throw conflict(`parent ${parent} of snapshot ${key} is not committed`);
        await snapshotSubvolume(treeOf(this.#folders.existing(parent)), folder, 'tree');
      }
      if (quotaBytes > 0) await this.#quotas.limit(folder, quotaBytes, { signal });
    });
    return { ready: false };
  }

  async commit(request: CommitRequest): Promise<Record<string, never>> {
    await this.#folders.commit(request, (folder) => freezeSubvolume(treeOf(folder)));
    return {};
  }

  async remove(request: RemoveRequest): Promise<void> {
    await this.#folders.remove(request);
  }

  async attach(request: AttachRequest): Promise<{ readonly attachment: Attachment }> {
    const { key, readOnly, view } = request;
    if (view === 'changes') throw notImplemented('btrfs keeps whole trees, not changes');
    this.#folders.checkAttach(request);
    return { attachment: { mounts: [{ type: 'bind', source: { data: `${key}/tree` }, readOnly }], shareable: readOnly } };
  }

  async detach(request: DetachRequest): Promise<void> {
    this.#folders.detach(request);
  }

  async *list(): AsyncIterable<Snapshot> {
    yield* this.#folders.list();
  }

  /** What the snapshot wrote itself, metadata aside. */
  async usage({ key }: { readonly key: string }): Promise<Usage> {
    const folder = this.#folders.existing(key);
    try {
      if (!this.#folders.isCommitted(key)) await syncFileSystem(folder);
      return await subvolumeUsage(treeOf(folder));
    } catch (error) {
      throw fromErrno(error, `usage of snapshot ${key}`);
    }
  }

  async resize({ key, quotaBytes }: ResizeRequest, { signal }: Pick<Ctx, 'signal'>): Promise<void> {
    const folder = this.#folders.existing(key);
    if (this.#folders.isCommitted(key)) throw conflict(`snapshot ${key} is committed: its size cannot change`);
    this.#quotas.check(quotaBytes);
    try {
      await (quotaBytes > 0 ? this.#quotas.limit(folder, quotaBytes, { signal }) : this.#quotas.lift(folder));
    } catch (error) {
      throw fromErrno(error, `resize snapshot ${key}`);
    }
  }

  async status(): Promise<StatusResponse> {
    return {
      status: [
        { label: 'Backing Filesystem', value: 'btrfs' },
        { label: 'Quotas', value: btrfsQuotaMode(this.#root) ?? 'off' },
      ],
    };
  }

  probe(): Promise<{ readonly usable: boolean; readonly reason?: string }> {
    return probeBtrfs(this.#root);
  }

  /** Resolves when deleted snapshots have no name any more; the kernel gives their space back later. */
  settled(): Promise<void> {
    return this.#folders.settled();
  }

  async #erase(folder: string): Promise<void> {
    if (subvolumeAt(treeOf(folder)) !== undefined) {
      // A full quota would refuse to have subvolumes inside deleted.
      await this.#quotas.lift(folder);
      await deleteSubvolume(folder, 'tree');
      await this.#makeRoom();
    }
    await this.#forget(folder);
    for (const waiting of this.#counted) if (waiting !== folder) await this.#forget(waiting).catch(() => undefined); // the next time, or the next start
  }

  async #forget(folder: string): Promise<void> {
    if (await this.#quotas.forget(folder)) {
      await rm(folder, { recursive: true, force: true });
      this.#counted.delete(folder);
    } else this.#counted.add(folder);
  }

  /** On a disk that is almost full somebody waits for the room: it is worth a sync of everything, but not one for each of a thousand containers. */
  async #makeRoom(): Promise<void> {
    const { bavail, blocks } = statfsSync(this.#root);
    if (bavail > blocks / 10 || performance.now() - this.#roomMadeMs < leastPauseMs) return;
    await reclaimSubvolumes(this.#root);
    this.#roomMadeMs = performance.now();
  }
}

/** The kernel does it by itself every 30 s. */
const leastPauseMs = 5_000;

function treeOf(folder: string): string {
  return join(folder, 'tree');
}

async function syncFileSystem(folder: string): Promise<void> {
  await using opened = await open(folder, 'r');
  await syncfsAside(opened.fd);
}
