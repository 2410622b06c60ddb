import { conflict, notImplemented } from '../errors.ts';
import type { Attachment, Ctx, Mount } from '../types/index.ts';
import type {
  AttachRequest,
  CommitRequest,
  CommitResponse,
  DetachRequest,
  GraphDriver,
  PrepareRequest,
  PrepareResponse,
  RemoveRequest,
  Snapshot,
} from './contract.ts';
import { SnapshotFolders, type SnapshotFoldersOptions } from './folders.ts';

export interface FillRequest extends PrepareRequest {
  /** The folder of the nearest parent: committed, unless the driver has the feature `changes`. Absent: an empty tree. */
  readonly below?: string;
  readonly signal: AbortSignal;
}

/**
 * A graph driver that keeps each snapshot in a folder of its own below one root: what is left to say is how a folder is filled and shown. `usage`, `resize`, `status` and
 * `probe` are added as methods where there is something to tell. See SnapshotFolders for what the folders are.
 */
export abstract class SnapshotDriver implements GraphDriver {
  abstract readonly features: GraphDriver['features'];
  protected readonly folders: SnapshotFolders;

  /** Makes the root where it is missing. */
  constructor(root: string, options: SnapshotFoldersOptions = {}) {
    this.folders = new SnapshotFolders(root, options);
  }

  /** Makes what is in a new snapshot's folder. When it throws, the folder goes away again. */
  protected abstract fill(folder: string, request: FillRequest): Promise<void> | void;

  /** Describes what shows a snapshot that is there, with parents that are there, to one that may attach it. */
  protected abstract show(request: AttachRequest): Promise<Mount> | Mount;

  /** The last thing before a snapshot counts as committed; durable when it resolves. */
  protected async freeze(_folder: string): Promise<void> {}

  async prepare(request: PrepareRequest, { signal }: Pick<Ctx, 'signal'>): Promise<PrepareResponse> {
    const [parent] = request.chain;
    await this.folders.prepare(request, (folder) =>
      this.fill(folder, { ...request, signal, ...(parent !== undefined && { below: this.#below(request.key, parent) }) }),
    );
    return { ready: false };
  }

  async commit(request: CommitRequest): Promise<CommitResponse> {
    await this.folders.commit(request, (folder) => this.freeze(folder));
    return {};
  }

  async remove(request: RemoveRequest): Promise<void> {
    await this.folders.remove(request);
  }

  async attach(request: AttachRequest): Promise<{ readonly attachment: Attachment }> {
    const { readOnly, view } = request;
    if (view === 'changes' && !this.features.includes('changes')) throw notImplemented('this driver keeps whole trees, not changes');
    this.folders.checkAttach(request);
    return { attachment: { mounts: [await this.show(request)], shareable: readOnly } };
  }

  async detach(request: DetachRequest): Promise<void> {
    this.folders.detach(request);
  }

  async *list(): AsyncIterable<Snapshot> {
    yield* this.folders.list();
  }

  /** Resolves when deleted snapshots are gone from the disk: for the plugin's `deactivate`. */
  settled(): Promise<void> {
    return this.folders.settled();
  }

  /** What is copied must not change any more; what lies on it unseen may. */
  #below(key: string, parent: string): string {
    if (!this.features.includes('changes') && !this.folders.isCommitted(parent))
      throw conflict(`parent ${parent} of snapshot ${key} is not committed`);
    return this.folders.existing(parent);
  }
}
