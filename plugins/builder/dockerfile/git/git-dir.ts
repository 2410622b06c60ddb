import { createReadStream, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { TreeFile } from '@gantry/sdk/engine';
import type { Commit } from './files.ts';
import { runGit } from './git.ts';

/** What of a repository is history and state. FETCH_HEAD is not: it has the address, with what it says of its owner. */
const kept = ['HEAD', 'config', 'index', 'objects', 'packed-refs', 'refs', 'shallow'];

/** The `.git` that a clone of this commit would have, without a remote. */
export async function* gitDirFiles({ git, id }: Commit): AsyncIterable<TreeFile> {
  await runGit(git, ['update-ref', '--no-deref', 'HEAD', id]);
  await runGit(git, ['read-tree', id]);
  await runGit(git, ['config', 'core.bare', 'false']);
  for (const name of readdirSync(git.dir).filter((each) => kept.includes(each))) yield* filesBelow(git.dir, name);
}

function* filesBelow(root: string, path: string): Iterable<TreeFile> {
  const file = join(root, path);
  const stat = lstatSync(file);
  const common = { name: `.git/${path}`, mode: stat.mode % 0o10000, mtimeSeconds: Math.floor(stat.mtimeMs / 1000) };
  if (stat.isDirectory()) {
    yield { ...common, kind: 'folder', content: nothing() };
    for (const name of readdirSync(file).toSorted()) yield* filesBelow(root, join(path, name));
  } else if (stat.isSymbolicLink()) yield { ...common, kind: 'symlink', target: readlinkSync(file), content: nothing() };
  else yield { ...common, content: contentOf(file) };
}

async function* contentOf(file: string): AsyncIterable<Buffer> {
  yield* createReadStream(file) as AsyncIterable<Buffer>;
}

async function* nothing(): AsyncIterable<Buffer> {
  // It has no content.
}
