import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Attachment, type Ctx, exhausted, internal, notImplemented } from '@gantry/sdk';
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
import { run } from '@gantry/sdk/linux';

/** `<key>/tree` is the whole tree: a copy of the parent's, sharing blocks where the file system can. */
export class Vfs implements GraphDriver {
  readonly features = [] as const;
  readonly #folders: SnapshotFolders;

  constructor(root: string) {
    this.#folders = new SnapshotFolders(root);
  }

  async prepare(request: PrepareRequest, { signal }: Pick<Ctx, 'signal'>): Promise<{ readonly ready: boolean }> {
    const [parent] = request.chain;
    await this.#folders.prepare(request, async (folder) => {
      const tree = join(folder, 'tree');
      mkdirSync(tree);
      chmodSync(tree, 0o755);
      if (parent !== undefined) await copyTree(join(this.#folders.existing(parent), 'tree'), tree, signal);
    });
    return { ready: false };
  }

  async commit(request: CommitRequest): Promise<Record<string, never>> {
    await this.#folders.commit(request);
    return {};
  }

  async remove(request: RemoveRequest): Promise<void> {
    await this.#folders.remove(request);
  }

  async attach(request: AttachRequest): Promise<{ readonly attachment: Attachment }> {
    const { key, readOnly, view } = request;
    if (view === 'changes') throw notImplemented('vfs keeps whole trees, not changes');
    this.#folders.checkAttach(request);
    return { attachment: { mounts: [{ type: 'bind', source: { data: `${key}/tree` }, readOnly }], shareable: readOnly } };
  }

  async detach(request: DetachRequest): Promise<void> {
    this.#folders.detach(request);
  }

  async *list(): AsyncIterable<Snapshot> {
    yield* this.#folders.list();
  }

  async status(): Promise<StatusResponse> {
    return { status: [] };
  }

  /** Resolves when deleted snapshots are gone from the disk. */
  settled(): Promise<void> {
    return this.#folders.settled();
  }
}

/**
 * cp(1) keeps owners, times, hard links, holes and attributes, and shares blocks by FICLONE or copy_file_range. Unlike with -a, an attribute that
 * cannot be kept is an error: it may be a file's capabilities.
 */
async function copyTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  const argv = ['cp', '-dR', '--preserve=mode,ownership,timestamps,links,xattr', '--reflink=auto', '--', `${from}/.`, to];
  const { exitCode, stderr } = await run({ file: '/bin/cp', argv, env: {}, signal });
  if (exitCode === 0) return;
  const [said = ''] = stderr.toString().split('\n');
  throw /No space left|quota exceeded/.test(said)
    ? exhausted(`copy snapshot: no space left on device`)
    : internal(`copy snapshot: ${said}`);
}
