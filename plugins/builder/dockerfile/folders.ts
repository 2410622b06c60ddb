import { ignores, readIgnoreFile } from '@gantry/sdk/builder';
import type { BuildTree, FolderFiles } from '@gantry/sdk/engine';
import type { DockerfileRequest } from './job.ts';

const mostIgnoreBytes = 2 ** 20;

export interface OpenFolder extends AsyncDisposable {
  readonly excluded: readonly string[];
  /** All that is not left out; asked for when it is first wanted. */
  tree(): Promise<BuildTree>;
}

/** Small files of a client's folder, by their names; those that are not there are left out. */
export async function readSmall(
  { engine: { builds } }: DockerfileRequest,
  files: FolderFiles,
  names: readonly string[],
  { mostBytes, signal }: { readonly mostBytes: number; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, Buffer>> {
  await using tree = await builds.openFiles(files({ include: names, exclude: [] }), { signal });
  const found = new Map<string, Buffer>();
  for (const name of names) {
    const content = await tree.readFile(name, { mostBytes });
    if (content !== undefined) found.set(name, content);
  }
  return found;
}

/** A client's folder without what its .dockerignore, or `ignored`, names. */
export async function openFolder(
  request: DockerfileRequest,
  files: FolderFiles,
  { ignored, signal }: { readonly ignored?: Buffer | undefined; readonly signal: AbortSignal },
): Promise<OpenFolder> {
  const text = ignored ?? (await readSmall(request, files, ['.dockerignore'], { mostBytes: mostIgnoreBytes, signal })).get('.dockerignore');
  const excluded = readIgnoreFile(text?.toString() ?? '');
  ignores(excluded);
  let tree: Promise<BuildTree> | undefined;
  return {
    excluded,
    tree: () => (tree ??= request.engine.builds.openFiles(files({ include: [], exclude: excluded }), { signal })),
    [Symbol.asyncDispose]: async () => {
      const found = await tree?.catch(() => undefined);
      await found?.[Symbol.asyncDispose]();
    },
  };
}

/** What .dockerignore leaves out of a tree that nobody chose from: one that was fetched. */
export async function ignoredIn(tree: BuildTree): Promise<readonly string[]> {
  const text = await tree.readFile('.dockerignore', { mostBytes: mostIgnoreBytes });
  return readIgnoreFile(text?.toString() ?? '');
}
