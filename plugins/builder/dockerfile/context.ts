import { posix } from 'node:path';
import { invalidArgument } from '@gantry/sdk';
import { ignores, readIgnoreFile } from '@gantry/sdk/builder';
import type { BuildContext, BuildTree } from '@gantry/sdk/engine';
import type { DockerfileRequest } from './job.ts';
import { get, isGit } from './steps/download.ts';

export interface OpenContext extends AsyncDisposable {
  /** The files; a client that is asked for them only sends them when a step needs them. */
  tree(): Promise<BuildTree>;
  readonly dockerfile: Buffer;
  /** What the Dockerfile is called. */
  readonly name: string;
  readonly excluded: readonly string[];
}

const mostDockerfileBytes = 16 * 2 ** 20;
const mostIgnoreBytes = 2 ** 20;

/** Takes in the files, and finds the Dockerfile among them. */
export async function openContext(request: DockerfileRequest, signal: AbortSignal): Promise<OpenContext> {
  await using opened = new AsyncDisposableStack();
  const name = nameOf(request.dockerfile);
  if (request.context.kind === 'folders') return openFolders(request, request.context, { name, signal });
  const source = await sourceOf(request.context, signal);
  const { builds } = request.engine;
  if (source.kind === 'dockerfile') {
    const tree = opened.use(await builds.openFiles([], { signal }));
    return { tree: async () => tree, dockerfile: source.text, name, excluded: [], ...disposing(opened.move()) };
  }
  const tree = opened.use(await builds.openArchive(source.tar, { signal }));
  const dockerfile = await tree.readFile(name, { mostBytes: mostDockerfileBytes });
  if (dockerfile === undefined) throw invalidArgument(`Cannot locate specified Dockerfile: ${name}`);
  const excluded = await excludedOf(tree, name, { isWhole: source.isRemote });
  return { tree: async () => tree, dockerfile, name, excluded, ...disposing(opened.move()) };
}

type Folders = Extract<BuildContext, { readonly kind: 'folders' }>;

/** First the Dockerfile and what it leaves out, then the rest. */
async function openFolders(
  { engine: { builds } }: DockerfileRequest,
  { files }: Folders,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): Promise<OpenContext> {
  await using opened = new AsyncDisposableStack();
  const include = [name, `${name}.dockerignore`, '.dockerignore'];
  const own = await builds.openFiles(files('dockerfile', { include, exclude: [] }), { signal });
  let dockerfile: Buffer | undefined;
  let ignored: Buffer | undefined;
  {
    await using _own = own;
    dockerfile = await own.readFile(name, { mostBytes: mostDockerfileBytes });
    ignored = await own.readFile(`${name}.dockerignore`, { mostBytes: mostIgnoreBytes });
  }
  if (dockerfile === undefined) throw invalidArgument(`failed to read dockerfile: open ${name}: no such file or directory`);
  if (ignored === undefined) {
    await using common = await builds.openFiles(files('context', { include: ['.dockerignore'], exclude: [] }), { signal });
    ignored = await common.readFile('.dockerignore', { mostBytes: mostIgnoreBytes });
  }
  const exclude = readIgnoreFile(ignored?.toString() ?? '');
  ignores(exclude);
  let tree: Promise<BuildTree> | undefined;
  opened.defer(async () => {
    const found = await tree?.catch(() => undefined);
    await found?.[Symbol.asyncDispose]();
  });
  return {
    tree: () => (tree ??= builds.openFiles(files('context', { include: [], exclude }), { signal })),
    dockerfile,
    name,
    excluded: exclude,
    ...disposing(opened.move()),
  };
}

function disposing(opened: AsyncDisposableStack): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

type Source =
  | { readonly kind: 'tar'; readonly tar: AsyncIterable<Buffer>; readonly isRemote: boolean }
  | { readonly kind: 'dockerfile'; readonly text: Buffer };

/** Text from the web is a Dockerfile, anything else an archive. */
async function sourceOf(context: Exclude<BuildContext, Folders>, signal: AbortSignal): Promise<Source> {
  if (context.kind === 'tar') return { kind: 'tar', tar: context.tar, isRemote: false };
  const { url } = context;
  if (isGit(url)) throw invalidArgument(`${url}: git repositories are no contexts here; send their files, or the address of an archive`);
  if (!/^https?:\/\//i.test(url)) throw invalidArgument(`remote context ${JSON.stringify(url.slice(0, 200))} is no http or https address`);
  const { body, headers } = await get(url, signal);
  if (!/^text\/plain/i.test(headers.get('content-type') ?? '')) return { kind: 'tar', tar: buffers(body), isRemote: true };
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of buffers(body)) {
    size += chunk.length;
    if (size > mostDockerfileBytes) throw invalidArgument(`${url} has more than ${mostDockerfileBytes} bytes`);
    chunks.push(chunk);
  }
  return { kind: 'dockerfile', text: Buffer.concat(chunks) };
}

async function* buffers(body: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  for await (const chunk of body) yield Buffer.from(chunk);
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
  const text = await tree.readFile('.dockerignore', { mostBytes: mostIgnoreBytes });
  if (text === undefined) return [];
  const patterns = readIgnoreFile(text.toString());
  const isLeftOut = ignores(patterns);
  return isWhole ? patterns : [dockerfile, '.dockerignore'].filter((path) => isLeftOut(path));
}
