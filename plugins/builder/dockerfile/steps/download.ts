import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { invalidArgument, messageOf, unavailable } from '@gantry/sdk';
import type { TreeFile } from '@gantry/sdk/engine';
import { isGit } from '../git/address.ts';

export function isRemote(text: string): boolean {
  return /^https?:\/\//i.test(text) && !isGit(text);
}

/** A file from the web, as ADD takes it. Its checksum is known when it has been read to its end. */
export async function download(
  url: string,
  {
    destination,
    checksum,
    mode,
    signal,
  }: { readonly destination: string; readonly checksum: string | undefined; readonly mode: number; readonly signal: AbortSignal },
): Promise<TreeFile> {
  if (checksum !== undefined && !/^sha256:[0-9a-f]{64}$/.test(checksum))
    throw invalidArgument(`invalid checksum ${JSON.stringify(checksum)}: it is sha256:…`);
  const { body, headers } = await get(url, signal);
  const name = destination.endsWith('/') ? posix.basename(new URL(url).pathname) : posix.basename(destination);
  if (name === '' || name === '.' || name === '..') throw invalidArgument(`cannot determine filename from url: ${url}`);
  const modified = Date.parse(headers.get('last-modified') ?? '');
  return { name, content: checked(url, body, checksum), mode, mtimeSeconds: Number.isNaN(modified) ? 0 : Math.floor(modified / 1000) };
}

/** The answer, if it is one. */
export async function get(
  url: string,
  signal: AbortSignal,
): Promise<{ readonly body: AsyncIterable<Uint8Array>; readonly headers: Headers }> {
  let answer: Response;
  try {
    answer = await fetch(url, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw unavailable(
      `failed to download ${url}: ${messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error)}`,
      { cause: error },
    );
  }
  if (!answer.ok || answer.body === null) {
    await answer.body?.cancel();
    throw invalidArgument(`failed to download ${url}: ${answer.status} ${answer.statusText}`.trim());
  }
  return { body: answer.body, headers: answer.headers };
}

async function* checked(url: string, body: AsyncIterable<Uint8Array>, checksum: string | undefined): AsyncIterable<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of body) {
    hash.update(chunk);
    yield Buffer.from(chunk);
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (checksum !== undefined && found !== checksum) throw invalidArgument(`digest mismatch for ${url}: ${found}, expected ${checksum}`);
}
