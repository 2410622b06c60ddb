import { posix } from 'node:path';
import { invalidArgument } from '@gantry/sdk';
import { ignores } from '@gantry/sdk/builder';
import type { BuildContext, BuildTree, FolderFiles } from '@gantry/sdk/engine';
import { ignoredIn, openFolder, readSmall } from './folders.ts';
import type { DockerfileRequest } from './job.ts';
import { mostDockerfileBytes, openSource } from './remote.ts';

export interface OpenContext extends AsyncDisposable {
  /** The files; a client that is asked for them only sends them when a step needs them. */
  tree(): Promise<BuildTree>;
  readonly dockerfile: Buffer;
  /** What the Dockerfile is called. */
  readonly name: string;
  readonly excluded: readonly string[];
}

/** Takes in the files, and finds the Dockerfile among them. */
export async function openContext(request: DockerfileRequest, signal: AbortSignal): Promise<OpenContext> {
  const { context } = request;
  const name = nameOf(request.dockerfile);
  if (context.kind === 'folders') return openFolders(request, context, { name, signal });
  await using opened = new AsyncDisposableStack();
  const source = await openSource(request, context, signal);
  const tree = opened.use(source.kind === 'tree' ? source.tree : await request.engine.builds.openFiles([], { signal }));
  const own = context.kind === 'remote' ? context.dockerfile : undefined;
  const dockerfile =
    own !== undefined
      ? await ownDockerfile(request, own, { name, signal })
      : source.kind === 'dockerfile'
        ? source.text
        : await tree.readFile(name, { mostBytes: mostDockerfileBytes });
  if (dockerfile === undefined) throw invalidArgument(`Cannot locate specified Dockerfile: ${name}`);
  const excluded = await excludedOf(tree, name, { isWhole: context.kind === 'remote' });
  return { tree: async () => tree, dockerfile, name, excluded, ...disposing(opened.move()) };
}

/** First the Dockerfile and what it leaves out, then the rest. */
async function openFolders(
  request: DockerfileRequest,
  { files }: Extract<BuildContext, { readonly kind: 'folders' }>,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): Promise<OpenContext> {
  const include = [name, `${name}.dockerignore`];
  const found = await readSmall(request, (wanted) => files('dockerfile', wanted), include, { mostBytes: mostDockerfileBytes, signal });
  const dockerfile = found.get(name);
  if (dockerfile === undefined) throw notFound(name);
  const folder = await openFolder(request, (wanted) => files('context', wanted), { ignored: found.get(`${name}.dockerignore`), signal });
  return {
    tree: () => folder.tree(),
    dockerfile,
    name,
    excluded: folder.excluded,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

async function ownDockerfile(
  request: DockerfileRequest,
  files: FolderFiles,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): Promise<Buffer> {
  const dockerfile = (await readSmall(request, files, [name], { mostBytes: mostDockerfileBytes, signal })).get(name);
  if (dockerfile === undefined) throw notFound(name);
  return dockerfile;
}

function notFound(name: string): Error {
  return invalidArgument(`failed to read dockerfile: open ${name}: no such file or directory`);
}

function disposing(opened: AsyncDisposableStack): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

function nameOf(given: string): string {
  const name = posix.normalize(given === '' ? 'Dockerfile' : given);
  if (name.startsWith('../') || name === '..' || posix.isAbsolute(name))
    throw invalidArgument(`the Dockerfile (${given}) must be within the build context`);
  return name;
}

/**
 * What .dockerignore leaves out of a context that was fetched. One that was sent was chosen by whoever sent it, who had to send the
 * Dockerfile and .dockerignore themselves all the same: they go now if they are named.
 */
async function excludedOf(tree: BuildTree, dockerfile: string, { isWhole }: { readonly isWhole: boolean }): Promise<readonly string[]> {
  const patterns = await ignoredIn(tree);
  const isLeftOut = ignores(patterns);
  return isWhole ? patterns : [dockerfile, '.dockerignore'].filter((path) => isLeftOut(path));
}
