import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { GantryError, invalidArgument } from '@gantry/sdk';
import type { TreeFile } from '@gantry/sdk/engine';
import { isGit } from '../git/address.ts';
import { type Download, download as open } from '@gantry/sdk/transport';

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
  const modified = Date.parse(headers['last-modified'] ?? '');
  return { name, content: checked(url, body, checksum), mode, mtimeSeconds: Number.isNaN(modified) ? 0 : Math.floor(modified / 1000) };
}

/** What is there, for who asks in time. */
export async function get(url: string, signal: AbortSignal): Promise<Pick<Download, 'headers' | 'body'>> {
  try {
    const address = URL.parse(url);
    if (address === null) throw invalidArgument(`${url} is no address`);
    return await open(address, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw GantryError.is(error) ? new GantryError(error.code, `failed to download ${error.message}`, { cause: error }) : error;
  }
}

async function* checked(url: string, body: AsyncIterable<Buffer>, checksum: string | undefined): AsyncIterable<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of body) {
    hash.update(chunk);
    yield chunk;
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (checksum !== undefined && found !== checksum) throw invalidArgument(`digest mismatch for ${url}: ${found}, expected ${checksum}`);
}
