import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Mount } from '@gantry/sdk';
import { type AttachRequest, type FillRequest, SnapshotDriver, type StatusResponse } from '@gantry/sdk/graph';
import { TreeCopier } from '@gantry/sdk/linux';

/** `<key>/tree` is the whole tree: a copy of the parent's, sharing blocks where the file system can. */
export class Vfs extends SnapshotDriver {
  readonly features = [] as const;
  readonly #copier = new TreeCopier();

  async status(): Promise<StatusResponse> {
    return { status: [] };
  }

  protected async fill(folder: string, { below, signal }: FillRequest): Promise<void> {
    const tree = join(folder, 'tree');
    mkdirSync(tree);
    chmodSync(tree, 0o755);
    if (below !== undefined) await this.#copier.copy(join(below, 'tree'), tree, { signal });
  }

  protected show({ key, readOnly }: AttachRequest): Mount {
    return { type: 'bind', source: { data: `${key}/tree` }, readOnly };
  }

  override async settled(): Promise<void> {
    await super.settled();
    await this.#copier[Symbol.asyncDispose]();
  }
}
