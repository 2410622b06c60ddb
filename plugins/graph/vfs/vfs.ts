import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { exhausted, internal, type Mount } from '@gantry/sdk';
import { type AttachRequest, type FillRequest, SnapshotDriver, type StatusResponse } from '@gantry/sdk/graph';
import { run } from '@gantry/sdk/linux';

/** `<key>/tree` is the whole tree: a copy of the parent's, sharing blocks where the file system can. */
export class Vfs extends SnapshotDriver {
  readonly features = [] as const;

  async status(): Promise<StatusResponse> {
    return { status: [] };
  }

  protected async fill(folder: string, { below, signal }: FillRequest): Promise<void> {
    const tree = join(folder, 'tree');
    mkdirSync(tree);
    chmodSync(tree, 0o755);
    if (below !== undefined) await copyTree(join(below, 'tree'), tree, signal);
  }

  protected show({ key, readOnly }: AttachRequest): Mount {
    return { type: 'bind', source: { data: `${key}/tree` }, readOnly };
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
