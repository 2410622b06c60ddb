import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { GantryError, invalidArgument } from '@gantry/sdk';
import { expand } from '@gantry/sdk/builder';
import type { BuildTree, Copy } from '@gantry/sdk/engine';
import { gitAddress, isGit, shownRemote } from '../git/address.ts';
import { openGitTree } from '../git/tree.ts';
import type { Heredoc } from '../parse/heredocs.ts';
import { isHeredoc } from '../parse/heredocs.ts';
import { type Instruction, isSet, valueOf, wordsOf } from '../parse/instruction.ts';
import { modeOf } from '../parse/modes.ts';
import { openSource } from '../stage/sources.ts';
import { nothingDone, variables } from '../stage/state.ts';
import { download, isRemote } from './download.ts';
import type { Plan, Planning } from './planned.ts';

/** COPY and ADD: what is copied is known before it is copied, and its digest is the step's name. */
export const planCopy: Plan = async (planning) => {
  const { state, instruction } = planning;
  await using opened = new AsyncDisposableStack();
  const read = readCopy(planning);
  const copies = await copiesOf(planning, read, opened);
  const digests: string[] = [];
  for (const copy of copies) digests.push(await digestOf(copy, planning));
  const close = opened.move();
  const shown = digests.length === 1 ? digests[0] : `multi:${digests.join(',')}`;
  const flags = [...instruction.flags].flatMap(([name, values]) => (name === 'link' ? [] : values.map((value) => `--${name}=${value}`)));
  const owner = read.owner === undefined ? [] : [`--chown=${read.owner}`];
  const said = [instruction.name, ...owner, shown, 'in', read.written, ''].join(' ');
  return {
    config: state.config,
    createdBy: nothingDone(state, said),
    keys: [async () => JSON.stringify([flags, read.destination, digests])],
    ...(isSet(instruction, 'link') && !isNamed(read.owner)
      ? { layerKey: () => layerKey(planning, { flags, destination: read.destination, digests }) }
      : {}),
    make: async () => ({ layer: { copies }, done: async () => undefined }),
    close: () => close.disposeAsync(),
  };
};

/** Names of owners are what the tree below has for them. */
function isNamed(owner: string | undefined): boolean {
  return owner !== undefined && !/^\d+(?::\d+)?$/.test(owner);
}

/** What is copied, and what of the tree below a copy to there goes by: how its folders are made, not what lies in them. */
async function layerKey(
  { job, state, instruction }: Planning,
  { flags, destination, digests }: { readonly flags: readonly string[]; readonly destination: string; readonly digests: readonly string[] },
): Promise<string> {
  const { builds, images } = job.request.engine;
  const { signal, created = '' } = job;
  const isOnNothing = state.imageId === '' || images.inspect(state.imageId).config.rootfs.diff_ids.length === 0;
  await using tree = await (isOnNothing ? builds.openFiles([]) : builds.openImage(state.imageId, { signal }));
  const said = ['layer', instruction.name, flags, destination, digests, await tree.way(destination, { signal }), created];
  return createHash('sha256').update(JSON.stringify(said)).digest('hex');
}

interface Read {
  readonly files: readonly string[];
  readonly urls: readonly string[];
  readonly heredocs: readonly Heredoc[];
  readonly destination: string;
  /** The destination as the Dockerfile has it, which histories tell. */
  readonly written: string;
  readonly isMany: boolean;
  readonly owner?: string;
  readonly mode?: NonNullable<Copy['mode']>;
}

function readCopy({ state, instruction }: Planning): Read {
  const options = variables(state, instruction.escape);
  const words = wordsOf(instruction);
  const sources = words.slice(0, -1).filter((word) => !isHeredoc(word));
  const plain = sources.map((word) => expand(word, options));
  const urls = instruction.name === 'ADD' ? plain.filter((word) => isRemote(word) || isGit(word)) : [];
  const files = plain.filter((word) => !urls.includes(word));
  const written = expand(words.at(-1) ?? '', options);
  const isMany = words.length > 2 || files.some((word) => /[*?[]/.test(word));
  if (words.length > 2 && !/(?:^\.\.?|\/\.?|\/\.\.)$/.test(written))
    throw invalidArgument(
      `When using ${instruction.name} with more than one source file, the destination must be a directory and end with a /`,
    );
  const [owner, mode] = [valueOf(instruction, 'chown'), valueOf(instruction, 'chmod')];
  return {
    files,
    urls,
    heredocs: instruction.heredocs,
    destination: absolute(written, state.config.WorkingDir),
    written,
    isMany,
    ...(owner === undefined ? {} : { owner: expand(owner, options) }),
    ...(mode === undefined ? {} : { mode: modeOf(expand(mode, options)) }),
  };
}

/** From the working directory; a slash, or a dot, at the end says that it is a folder. */
function absolute(written: string, workingDir: string | undefined): string {
  const isFolder = /(?:^|\/)\.{0,2}$/.test(written);
  const path = posix.resolve('/', workingDir ?? '', written);
  return isFolder && path !== '/' ? `${path}/` : path;
}

async function copiesOf(planning: Planning, read: Read, opened: AsyncDisposableStack): Promise<readonly Copy[]> {
  const { job, instruction } = planning;
  const { destination, isMany, owner, mode } = read;
  const common = { destination, isMany, ...(owner === undefined ? {} : { owner }), ...(mode === undefined ? {} : { mode }) };
  const copies: Copy[] = [];
  if (read.files.length > 0) copies.push({ ...common, ...(await filesOf(planning, read, opened)) });
  for (const url of read.urls) {
    if (isGit(url)) {
      copies.push({ ...common, ...(await repositoryOf(planning, url, opened)) });
      continue;
    }
    const file = await download(url, { destination, checksum: valueOf(instruction, 'checksum'), mode: 0o600, signal: job.signal });
    const tree = opened.use(await job.request.engine.builds.openFiles([file], { signal: job.signal }));
    copies.push({ ...common, tree, sources: [file.name], unpack: isSet(instruction, 'unpack') });
  }
  if (read.heredocs.length > 0) {
    const tree = opened.use(await inlineFiles(planning, read.heredocs));
    copies.push({ ...common, tree, sources: read.heredocs.map(({ name }) => name) });
  }
  return copies;
}

async function filesOf(
  { job, instruction, stageIndex }: Planning,
  { files }: Read,
  opened: AsyncDisposableStack,
): Promise<Pick<Copy, 'tree' | 'sources' | 'exclude' | 'parents' | 'unpack'>> {
  const from = valueOf(instruction, 'from');
  const { tree, excluded } =
    from === undefined ? { tree: await job.context(), excluded: job.excluded } : opened.use(await openSource(job, from, stageIndex));
  const exclude = [...excluded, ...(instruction.flags.get('exclude') ?? [])];
  const unpacks = instruction.name === 'ADD' && (!instruction.flags.has('unpack') || isSet(instruction, 'unpack'));
  return { tree, sources: files, exclude, parents: isSet(instruction, 'parents'), unpack: unpacks };
}

/** All files of a repository, or of a folder of it, go into the destination. */
async function repositoryOf(
  { job, instruction }: Planning,
  url: string,
  opened: AsyncDisposableStack,
): Promise<Pick<Copy, 'tree' | 'sources' | 'exclude' | 'isMany'>> {
  const keepsGitDir = isSet(instruction, 'keep-git-dir');
  const wanted = valueOf(instruction, 'checksum') ?? '';
  if (!/^(?:[0-9a-f]{7,64})?$/.test(wanted))
    throw invalidArgument(`invalid checksum ${JSON.stringify(wanted.slice(0, 80))}: of a repository it is a commit`);
  const { tree, commitId } = opened.use(await openGitTree(job.request, gitAddress(url), { keepsGitDir, signal: job.signal }));
  if (!commitId.startsWith(wanted)) throw invalidArgument(`commit mismatch for ${shownRemote(url)}: ${commitId}, expected ${wanted}`);
  return { tree, sources: ['/'], exclude: instruction.flags.get('exclude') ?? [], isMany: true };
}

async function inlineFiles({ job, state, instruction }: Planning, heredocs: readonly Heredoc[]): Promise<BuildTree> {
  const options = { ...variables(state, instruction.escape), isText: true };
  const files = heredocs.map(({ name, content, isExpanded }) => ({
    name,
    content: once(Buffer.from(isExpanded ? expand(content, options) : content)),
    mode: 0o644,
    mtimeSeconds: Math.floor((job.created === undefined ? Date.now() : Date.parse(job.created)) / 1000),
  }));
  return job.request.engine.builds.openFiles(files, { signal: job.signal });
}

async function* once(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes;
}

async function digestOf({ tree, sources, exclude, parents }: Copy, { job, instruction }: Planning): Promise<string> {
  try {
    return await tree.digest({ sources, ...(exclude && { exclude }), ...(parents === true && { parents }) }, { signal: job.signal });
  } catch (error) {
    throw GantryError.is(error) && error.reason === 'SOURCE_NOT_FOUND' ? notThere(instruction, error) : error;
  }
}

/** In the words that Docker's users look for. */
function notThere(instruction: Instruction, error: GantryError): GantryError {
  const [, quoted = ''] = /^(".*"): not found$/.exec(error.message) ?? [];
  const path = quoted === '' ? error.message : String(JSON.parse(quoted));
  const where =
    valueOf(instruction, 'from') === undefined ? 'in build context or excluded by .dockerignore' : `in ${valueOf(instruction, 'from')}`;
  return invalidArgument(`${instruction.name} failed: file not found ${where}: stat ${path}: file does not exist`, { cause: error });
}
