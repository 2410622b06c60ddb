import { chmodSync, mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { type Attachment, type Mount, type Path } from '@gantry/sdk';
import {
  type AttachRequest,
  type CommitRequest,
  type DetachRequest,
  type GraphDriver,
  type PrepareRequest,
  type RemoveRequest,
  type Snapshot,
  type StatusResponse,
  SnapshotFolders,
} from '@gantry/sdk/graph';
import { probeOverlay } from './probe.ts';
import { fileSystemName } from './file-system-name.ts';

/** `<key>/diff` is what the snapshot adds over its parents, `<key>/work` what overlayfs needs to write there. */
export class Overlay2 implements GraphDriver {
  readonly features = ['changes'] as const;
  readonly #folders: SnapshotFolders;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.#folders = new SnapshotFolders(root);
  }

  async prepare(request: PrepareRequest): Promise<{ readonly ready: boolean }> {
    await this.#folders.prepare(request, (folder) => {
      mkdirSync(join(folder, 'diff'));
      chmodSync(join(folder, 'diff'), 0o755);
      mkdirSync(join(folder, 'work'), { mode: 0o700 });
    });
    return { ready: false };
  }

  async commit(request: CommitRequest): Promise<Record<string, never>> {
    await this.#folders.commit(request);
    rmSync(join(this.#folders.path(request.name), 'work'), { recursive: true, force: true });
    return {};
  }

  async remove(request: RemoveRequest): Promise<void> {
    await this.#folders.remove(request);
  }

  async attach(request: AttachRequest): Promise<{ readonly attachment: Attachment }> {
    const { key, chain, readOnly, view } = request;
    this.#folders.checkAttach(request);
    const mount = view === 'changes' || chain.length === 0 ? bind(key, readOnly) : overlay(key, chain, readOnly);
    return { attachment: { mounts: [mount], shareable: readOnly } };
  }

  async detach(request: DetachRequest): Promise<void> {
    this.#folders.detach(request);
  }

  async *list(): AsyncIterable<Snapshot> {
    yield* this.#folders.list();
  }

  async status(): Promise<StatusResponse> {
    return {
      status: [
        { label: 'Backing Filesystem', value: fileSystemName(statfsSync(this.#root).type) },
        { label: 'Supports d_type', value: 'true' },
        { label: 'Using metacopy', value: 'false' },
        { label: 'Native Overlay Diff', value: 'true' },
        { label: 'userxattr', value: 'false' },
      ],
    };
  }

  async probe(): Promise<{ readonly usable: boolean; readonly reason?: string }> {
    return probeOverlay(this.#root);
  }

  /** Resolves when deleted snapshots are gone from the disk. */
  settled(): Promise<void> {
    return this.#folders.settled();
  }
}

function bind(key: string, readOnly: boolean): Mount {
  return { type: 'bind', source: diff(key), readOnly };
}

function overlay(key: string, chain: readonly string[], readOnly: boolean): Mount {
  const parents = chain.map(diff);
  return {
    type: 'overlay',
    source: { opaque: 'overlay' },
    // Renamed folders and changed metadata are copied up whole, so that `diff` alone says everything a snapshot changed.
    options: ['index=off', 'redirect_dir=off', 'metacopy=off'],
    overlay: readOnly ? { lower: [diff(key), ...parents] } : { lower: parents, upper: diff(key), work: { data: `${key}/work` } },
    readOnly,
  };
}

function diff(key: string): Path {
  return { data: `${key}/diff` };
}
