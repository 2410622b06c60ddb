import { invalidArgument } from '@gantry/sdk';
import type { BuildContext, BuildTree } from '@gantry/sdk/engine';
import { gitAddress, isGit } from './git/address.ts';
import { openGitTree } from './git/tree.ts';
import type { DockerfileRequest } from './job.ts';
import { get } from './steps/download.ts';

export type OpenSource =
  | { readonly kind: 'tree'; readonly tree: BuildTree }
  /** A Dockerfile alone. */
  | { readonly kind: 'dockerfile'; readonly text: Buffer };

export const mostDockerfileBytes: number = 16 * 2 ** 20;

/** The files that were sent, or are at an address: a git repository, an archive, or a Dockerfile. */
export async function openSource(
  request: DockerfileRequest,
  context: Exclude<BuildContext, { readonly kind: 'folders' }>,
  signal: AbortSignal,
): Promise<OpenSource> {
  const { builds } = request.engine;
  if (context.kind === 'tar') return { kind: 'tree', tree: await builds.openArchive(context.tar, { signal }) };
  const { url } = context;
  if (isGit(url)) {
    const keepsGitDir = isYes(request.buildArgs['BUILDKIT_CONTEXT_KEEP_GIT_DIR']);
    return { kind: 'tree', tree: (await openGitTree(request, gitAddress(url), { keepsGitDir, signal })).tree };
  }
  if (!/^https?:\/\//i.test(url))
    throw invalidArgument(`remote context ${JSON.stringify(url.slice(0, 200))} is no http or https address, and no git repository`);
  const { body, headers } = await get(url, signal);
  const { head, all } = await peeked(body);
  if (isArchive(head, headers['content-type'] ?? '')) return { kind: 'tree', tree: await builds.openArchive(all, { signal }) };
  return { kind: 'dockerfile', text: await whole(all, url) };
}

function isYes(value: string | null | undefined): boolean {
  return /^(?:1|t|true)$/i.test(value ?? '');
}

/** Servers call an archive what they like; its first bytes say what it is. */
function isArchive(head: Buffer, contentType: string): boolean {
  const magics = ['1f8b', '425a68', 'fd377a58', '28b52ffd'];
  const isCompressed = magics.some((magic) => head.subarray(0, magic.length / 2).toString('hex') === magic);
  return isCompressed || head.subarray(257, 262).toString() === 'ustar' || /\b(?:x-)?(?:tar|gzip|bzip2|xz|zstd)\b/i.test(contentType);
}

/** The first 512 bytes, and all of them again. */
async function peeked(body: AsyncIterable<Uint8Array>): Promise<{ readonly head: Buffer; readonly all: AsyncIterable<Buffer> }> {
  const chunks = body[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 512) {
    const { value, done } = await chunks.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  return { head, all: continued(head, chunks) };
}

async function* continued(head: Buffer, chunks: AsyncIterator<Uint8Array>): AsyncIterable<Buffer> {
  try {
    yield head;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield Buffer.from(next.value);
  } finally {
    await chunks.return?.();
  }
}

async function whole(body: AsyncIterable<Buffer>, url: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > mostDockerfileBytes) throw invalidArgument(`${url} has more than ${mostDockerfileBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
