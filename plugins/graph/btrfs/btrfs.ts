import { chmodSync, statfsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Ctx, fromErrno, type Mount, type Usage } from '@gantry/sdk';
import { type AttachRequest, type FillRequest, type ResizeRequest, SnapshotDriver, type StatusResponse } from '@gantry/sdk/graph';
import {
  btrfsQuotaMode,
  createSubvolume,
  deleteSubvolume,
  freezeSubvolume,
  reclaimSubvolumes,
  snapshotSubvolume,
  subvolumeAt,
  subvolumeUsage,
  syncFileSystem,
} from '@gantry/sdk/linux';
import { probeBtrfs } from './probe.ts';
import { Quotas } from './quotas.ts';
import type { BtrfsSettings } from './settings.ts';

/** `<key>/tree` is a subvolume with the whole tree: a snapshot of the parent's. Once committed it is read-only for everybody. */
export class Btrfs extends SnapshotDriver {
  readonly features = ['quota'] as const;
  readonly #root: string;
  readonly #quotas: Quotas;
  /** Folders of deleted snapshots whose quota groups the kernel still needs. */
  readonly #counted = new Set<string>();
  #roomMadeMs = Number.NEGATIVE_INFINITY;

  constructor(root: string, settings: BtrfsSettings) {
    super(root, { erase: (folder) => this.#erase(folder) });
    this.#root = root;
    this.#quotas = new Quotas(root, settings);
  }

  /** What the snapshot wrote itself, metadata aside. */
  async usage({ key }: { readonly key: string }): Promise<Usage> {
    const folder = this.folders.existing(key);
    try {
      if (!this.folders.isCommitted(key)) await syncFileSystem(folder);
      return await subvolumeUsage(treeOf(folder));
    } catch (error) {
      throw fromErrno(error, `usage of snapshot ${key}`);
    }
  }

  async resize({ key, quotaBytes }: ResizeRequest, { signal }: Pick<Ctx, 'signal'>): Promise<void> {
    const folder = this.folders.writable(key);
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

  protected async fill(folder: string, { below, quotaBytes = 0, signal }: FillRequest): Promise<void> {
    this.#quotas.check(quotaBytes);
    if (below === undefined) {
      await createSubvolume(folder, 'tree');
      chmodSync(treeOf(folder), 0o755);
    } else await snapshotSubvolume(treeOf(below), folder, 'tree');
    if (quotaBytes > 0) await this.#quotas.limit(folder, quotaBytes, { signal });
  }

  protected override freeze(folder: string): Promise<void> {
    return freezeSubvolume(treeOf(folder));
  }

  protected show({ key, readOnly }: AttachRequest): Mount {
    return { type: 'bind', source: { data: `${key}/tree` }, readOnly };
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
