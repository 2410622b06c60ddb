import { invalidArgument } from '@gantry/sdk';
import type { TreeFile } from '@gantry/sdk/engine';
import { BlobReader } from './blobs.ts';
import { type Git, runGit } from './git.ts';

/** A commit of a repository that was fetched. */
export interface Commit {
  readonly git: Git;
  readonly id: string;
}
export interface Submodule {
  readonly path: string;
  readonly commitId: string;
}

const mostFiles = 1_000_000;
const longestTarget = 4096;

/** The files of a folder of a commit, read from git's objects: none of them is ever made on a disk. Gitlinks are told, not followed. */
export async function* commitFiles(
  { git, id }: Commit,
  { subdir, below, onSubmodule }: { readonly subdir: string; readonly below: string; readonly onSubmodule: (found: Submodule) => void },
): AsyncIterable<TreeFile> {
  const entries = await listed(git, `${id}:${subdir}`);
  const mtimeSeconds = Number((await runGit(git, ['show', '--no-patch', '--format=%ct', id])).toString());
  await using blobs = new BlobReader(git);
  for (const { mode, type, object, path } of entries) {
    const name = `${below}${path}`;
    const common = { name, mtimeSeconds };
    if (type === 'commit') {
      onSubmodule({ path: subdir === '' ? path : `${subdir}/${path}`, commitId: object });
      yield { ...common, kind: 'folder', mode: 0o755, content: nothing() };
    } else if (mode === '120000')
      yield { ...common, kind: 'symlink', mode: 0o777, target: await targetOf(blobs, object, name), content: nothing() };
    else yield { ...common, mode: mode === '100755' ? 0o755 : 0o644, content: blobs.read(object) };
  }
}

interface Entry {
  readonly mode: string;
  readonly type: string;
  readonly object: string;
  readonly path: string;
}

async function listed(git: Git, tree: string): Promise<readonly Entry[]> {
  const records = (await runGit(git, ['ls-tree', '-r', '-z', '--full-tree', tree])).toString('latin1').split('\0').slice(0, -1);
  if (records.length > mostFiles) throw invalidArgument(`the repository has more than ${mostFiles} files`);
  return records.map((record) => {
    const [, mode = '', type = '', object = '', name = ''] = /^(\d{6}) (\w+) ([0-9a-f]+)\t([\s\S]*)$/.exec(record) ?? [];
    const bytes = Buffer.from(name, 'latin1');
    const path = bytes.toString();
    if (!Buffer.from(path).equals(bytes))
      throw invalidArgument(`the repository has a name that is not UTF-8: ${JSON.stringify(path.slice(0, 200))}`);
    return { mode, type, object, path };
  });
}

async function targetOf(blobs: BlobReader, object: string, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of blobs.read(object)) {
    size += chunk.length;
    if (size <= longestTarget) chunks.push(chunk);
  }
  if (size > longestTarget) throw invalidArgument(`symlink ${name} has a target of ${size} bytes`);
  return Buffer.concat(chunks).toString();
}

async function* nothing(): AsyncIterable<Buffer> {
  // It has no content.
}
